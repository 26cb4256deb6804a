import { Injectable, type InjectionToken, type OnModuleDestroy } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import type { Transport } from '@nestjs/microservices';
import { quote } from '../core/error-log.js';
import { GevServerNameError } from '../core/errors.js';
import { nearest } from '../core/option-checks.js';
import { GevServer } from './gev.server.js';
import { type BareMethods, tellBareMethods } from './handlers/bare-methods.js';

/**
 * What the server of a {@link GevModule} is provided as: the class {@link GevServer} for the one without a name.
 *
 * @example
 * ```ts
 * app.connectMicroservice({ strategy: app.get(getGevServerToken('devices')) });
 * ```
 * @publicApi
 */
export function getGevServerToken(name?: string): InjectionToken<GevServer> {
  return name === undefined ? GevServer : Symbol.for(`GevServer:${name}`);
}

/** The servers of an application, by their names: those of modules, and those made by hand that Nest was given. */
@Injectable()
export class GevServers implements OnModuleDestroy {
  /** Names of the modules' servers; undefined: the one without a name. */
  private readonly claimed = new Set<string | undefined>();
  /** What Nest was given as strategies, servers of other transports included. */
  private readonly strategies = new Set<unknown>();
  private readonly watching;

  constructor(
    private readonly moduleRef: ModuleRef,
    modules: ModulesContainer,
  ) {
    this.watching = modules
      .getRpcTargetRegistry<unknown>()
      .subscribe((target) => this.strategies.add(target));
  }

  onModuleDestroy(): void {
    this.watching.unsubscribe();
  }

  /**
   * A module makes a server of that name.
   *
   * @throws GevServerNameError where another one does
   */
  claim(name: string | undefined): void {
    if (this.claimed.has(name)) throw duplicate(name);
    this.claimed.add(name);
  }

  /** @throws GevServerNameError where two servers of the application share a name */
  assertDistinct(): void {
    const named = new Map<string, unknown>();
    for (const name of this.claimed) if (name !== undefined) named.set(name, this.ofModule(name));
    for (const strategy of this.madeByHand) {
      const { name } = strategy;
      if (named.has(name) && named.get(name) !== strategy) throw duplicate(name);
      named.set(name, strategy);
    }
  }

  /**
   * The server that a timer runs on.
   *
   * @param timer for the message
   * @throws GevServerNameError where there is none of that name, or, without a name, more than one to choose from
   */
  forTimer(timer: string, name: string | undefined, decorator: string): GevServer {
    const { claimed } = this;
    if (claimed.has(name)) return this.ofModule(name);
    if (name === undefined) {
      const [only, ...others] = claimed;
      if (others.length === 0) return this.ofModule(only);
      throw new GevServerNameError(
        undefined,
        `${timer} could run on several servers: ${this.names}. Name one: @${decorator}, { server: ${quote(only!)} })`,
      );
    }
    const byHand = this.madeByHand.find((strategy) => strategy.name === name);
    if (byHand !== undefined) return byHand;
    const near = nearest(
      name,
      [...claimed].filter((each) => each !== undefined),
    );
    throw new GevServerNameError(
      name,
      `No server is named ${quote(name)}, which ${timer} is to run on. Servers: ${this.names}` +
        (near === undefined ? '' : `; did you mean ${quote(near)}?`),
    );
  }

  /** Whether Nest registers handlers of that transport with any server that it was given. */
  serve(transport: Transport | symbol): boolean {
    return [...this.strategies].some((strategy) => {
      const { transportId } = strategy as { readonly transportId?: unknown };
      return transportId === undefined || transportId === transport;
    });
  }

  /** Servers are to ask there, when they listen, which methods have nothing bound to them; not those that wrap handlers. */
  tellBareMethods(methods: BareMethods): void {
    for (const strategy of this.strategies) {
      const { addHandler } = strategy as Partial<GevServer>;
      if (addHandler === GevServer.prototype.addHandler) tellBareMethods(strategy as GevServer, methods);
    }
  }

  /** Whether Nest was given any server. */
  get serves(): boolean {
    return this.strategies.size > 0;
  }

  private ofModule(name: string | undefined): GevServer {
    return this.moduleRef.get<GevServer>(getGevServerToken(name), { strict: false });
  }

  private get names(): string {
    return [...this.claimed]
      .map((name) => (name === undefined ? 'one without a name' : quote(name)))
      .join(', ');
  }

  /** Servers of ours with names, whichever copy of this package they come from. */
  private get madeByHand(): (GevServer & { readonly name: string })[] {
    return [...this.strategies].filter(
      (strategy): strategy is GevServer & { readonly name: string } =>
        typeof (strategy as Partial<GevServer> | undefined)?.runEvery === 'function' &&
        typeof (strategy as Partial<GevServer>).name === 'string',
    );
  }
}

function duplicate(name: string | undefined): GevServerNameError {
  if (name === undefined) {
    return new GevServerNameError(
      name,
      'Two servers have no name: GevModule.forRoot() is imported twice. Import it once, or keep its result and import that; ' +
        "where two servers are meant, give one a name: GevModule.forRoot({ name: 'devices' })",
    );
  }
  return new GevServerNameError(
    name,
    `Two servers are named ${quote(name)}: give each a name of its own. Where one is meant, import its GevModule once, or ` +
      'keep the result of forRoot() and import that',
  );
}
