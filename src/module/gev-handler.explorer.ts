import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import 'reflect-metadata';
import { HANDLER_MARKER } from '../server/handlers/handler-marker.js';
import { nameHandler } from '../server/handlers/handler-extras.js';
import { GevServers } from '../server/gev-servers.js';

/** Where Nest keeps the extras and the transport of `@MessagePattern` and `@EventPattern`. */
export const PATTERN_EXTRAS = 'microservices:pattern_extras';
const PATTERN_TRANSPORT = 'microservices:transport';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Tells servers what the handlers of the application are called, and the user of those that no server will ever see. */
@Injectable()
export class GevHandlerExplorer implements OnApplicationBootstrap {
  private readonly logger = new Logger('GevModule');
  private looked = false;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly servers: GevServers,
  ) {
    // Before Nest registers any handler: its servers are to name those of which they complain.
    for (const wrapper of discovery.getControllers()) {
      for (const [label, method] of this.methodsOf(wrapper)) {
        const extras = Reflect.getMetadata(PATTERN_EXTRAS, method) as object | undefined;
        if (extras !== undefined) nameHandler(extras, label);
      }
    }
  }

  onApplicationBootstrap(): void {
    // The init() of a Nest microservice calls its hooks twice.
    if (this.looked) return;
    this.looked = true;
    this.servers.assertDistinct();
    this.warnOfProviders();
    this.warnOfRepeats();
    if (this.servers.serves) this.warnOfTransports();
  }

  private warnOfProviders(): void {
    const controllers = new Set(this.discovery.getControllers().map(({ metatype }) => metatype));
    for (const wrapper of this.discovery.getProviders()) {
      if (controllers.has(wrapper.metatype)) continue;
      for (const [label, method] of this.methodsOf(wrapper)) {
        if (!Reflect.hasMetadata(HANDLER_MARKER, method)) continue;
        this.logger.warn(
          `${label} will never be called: Nest looks for handlers in controllers, and ${String(wrapper.name)} is a provider. ` +
            'List its class in the controllers of a module',
        );
      }
    }
  }

  private warnOfRepeats(): void {
    const byClass = new Map<unknown, Wrapper[]>();
    for (const wrapper of this.discovery.getControllers()) {
      byClass.set(wrapper.metatype, [...(byClass.get(wrapper.metatype) ?? []), wrapper]);
    }
    for (const wrappers of byClass.values()) {
      if (wrappers.length < 2) continue;
      const modules = wrappers.map(({ host }) => host?.name ?? 'a module').sort();
      for (const [label, method] of this.methodsOf(wrappers[0]!)) {
        if (!Reflect.hasMetadata(HANDLER_MARKER, method)) continue;
        this.logger.warn(
          `${label} is registered once for each of ${modules.length} modules that have its controller, and runs as often: ` +
            `${modules.join(', ')}. List the controller in one`,
        );
      }
    }
  }

  private warnOfTransports(): void {
    for (const wrapper of this.discovery.getControllers()) {
      for (const [label, method] of this.methodsOf(wrapper)) {
        const transport = Reflect.getMetadata(PATTERN_TRANSPORT, method) as Transport | symbol | undefined;
        if (transport === undefined || this.servers.serve(transport)) continue;
        const name = typeof transport === 'symbol' ? String(transport) : Transport[transport];
        this.logger.warn(
          `${label} is bound to the transport ${name}, which no server of the application has: nothing reaches it. Leave the ` +
            'transport out, or name GEV_TRANSPORT',
        );
      }
    }
  }

  private *methodsOf(wrapper: Wrapper): Iterable<[label: string, method: object]> {
    const prototype = prototypeOf(wrapper);
    if (prototype === undefined) return;
    for (const key of this.scanner.getAllMethodNames(prototype)) {
      const method = (prototype as Record<string, unknown>)[key];
      if (typeof method === 'function') yield [`${prototype.constructor.name}.${key}`, method];
    }
  }
}

/** The class that a provider or controller is an instance of, however it is provided. */
export function prototypeOf({ instance, metatype }: Wrapper): object | undefined {
  const made: unknown = instance;
  const prototype: unknown =
    typeof made === 'object' && made !== null
      ? Object.getPrototypeOf(made)
      : (metatype?.prototype as unknown);
  return typeof prototype === 'object' && prototype !== null && prototype !== Object.prototype
    ? prototype
    : undefined;
}
