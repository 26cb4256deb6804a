import type { Engine } from '../engine/engine.js';
import { inFreshScope } from '../engine/fresh-scope.js';
import { accessRules, checkAccess, type GevAccess } from './access.js';
import { formatAddress, type GevAddress } from './address.js';
import { broadcast } from './broadcast.js';
import { closeReasonCode } from './close-reason.js';
import type { GevConnection, GevReceivers } from './connection.js';
import { createEngine } from './create-engine.js';
import type { GevData } from './data.js';
import { debug } from './debug.js';
import {
  GevAlreadyListeningError,
  GevError,
  GevListenError,
  GevNativeError,
  GevNotListeningError,
  GevOptionsError,
} from './errors.js';
import { bind, listenError, resolveHost, toAddress } from './listen-address.js';
import type { ReactorOptions, ResolvedReactorOptions } from './options.js';
import type { ReactorConnection } from './reactor-connection.js';
import { assertDialable, connectError, type DialTarget } from './reactor-dials.js';
import type { ReactorHandler } from './reactor-handler.js';
import { ReactorLoop } from './reactor-loop.js';
import { resolveReactorOptions } from './reactor-options.js';
import { ReactorListener } from './reactor-listener.js';
import { ReactorState } from './reactor-state.js';
import { type ReactorStats, statsOf } from './reactor-stats.js';
import { type ReactorTimerHandle, ReactorTimers } from './reactor-timers.js';
import { resolveServerTls } from './tls/resolve-tls.js';
import type { GevTlsOptions } from './tls/tls-options.js';
import { assertInterval } from './timer.js';
import { Operation, READ_ON } from '../engine/loop-port.js';

export type { DialTarget } from './reactor-dials.js';
export type { ReactorHandler, ReactorTurns } from './reactor-handler.js';
export type { ReactorStats } from './reactor-stats.js';
export type { ReactorTimerHandle } from './reactor-timers.js';

const STARTS_ONCE = 'A reactor starts once: make another one';
/** How long connections that were cut may take to say so. */
const ABORT_GRACE_MS = 1000;

/**
 * The native loops of one server or client behind a typed face, without Nest. Listens or starts once; make another to
 * do so again.
 *
 * @publicApi
 */
export class Reactor {
  private options: ResolvedReactorOptions;
  private readonly state: ReactorState;
  private nextDialLoop = 0;
  private moving: Engine | undefined;
  private binding = false;
  private stopped = false;
  private referenced = true;
  private quiescing: Promise<void> | undefined;

  /** @throws GevOptionsError for a value an option cannot have, and for unknown options */
  constructor(options: ReactorOptions, handler: ReactorHandler) {
    this.options = resolveReactorOptions(options);
    const listeners = this.options.listeners.map(
      (listener, index) => new ReactorListener(index, listener, this.options),
    );
    this.state = new ReactorState(handler, listeners, this.options.dialTls);
  }

  /** Open connections by id. */
  get connections(): ReadonlyMap<number, GevConnection> {
    return this.state.open;
  }

  /** The open connection with that {@link GevConnection.identity}. */
  get<Data extends object = Record<string, unknown>, Frame = GevData>(
    identity: string,
  ): GevConnection<Data, Frame> | undefined {
    return this.state.identities.get(identity) as GevConnection<Data, Frame> | undefined;
  }

  /**
   * Binds, listens and starts the loops.
   *
   * @throws GevListenError with the system's code; GevNativeError when the addon is asked for and missing
   */
  async listen(): Promise<GevAddress> {
    const { listeners } = this.state;
    const hosts = await Promise.all(
      listeners.map(async ({ options }) => options.path ?? resolveHost(options)),
    );
    this.assertUnused();
    if (this.stopped) throw this.canceled(hosts[0]!);
    const engine = this.createEngine();
    this.binding = true;
    try {
      // An engine keeps the context it is started in: nobody's.
      for (const [index, listener] of listeners.entries()) {
        const bound = inFreshScope(() => bind(engine, listener, hosts[index]!));
        listener.address = toAddress(bound instanceof Promise ? await bound : bound);
      }
      if (!this.stopped) inFreshScope(() => engine.start());
    } catch (error) {
      this.state.loops.length = 0;
      for (const listener of listeners) listener.address = null;
      throw error instanceof GevError ? error : listenError(this.options, error);
    } finally {
      this.binding = false;
    }
    if (this.stopped) {
      engine.stop();
      throw this.canceled(hosts[0]!);
    }
    this.begin(engine);
    const addresses = listeners.map(({ address }) => formatAddress(address!));
    debug('listening on %s, %s', addresses.join(', '), this.loopsText);
    return listeners[0]!.address!;
  }

  /**
   * Starts the loops without a listener, instead of {@link Reactor.listen}: for one that only dials.
   *
   * @throws GevNativeError (as rejection) when the addon is asked for and missing, or the system refuses threads or descriptors
   */
  start(): Promise<void> {
    return new Promise((resolve) => resolve(this.startLoops()));
  }

  /**
   * Connects, on one loop after the other. The connection is announced by {@link ReactorHandler.onOpen} before this
   * resolves.
   *
   * @param timeout in ms; 0: as long as the system tries
   * @param signal gives up when it aborts
   * @throws GevConnectError (as rejection) with the system's code; `ECANCELED` when it was aborted or the reactor stops
   */
  dial(target: DialTarget, timeout: number, signal?: AbortSignal): Promise<GevConnection> {
    return this.connect(target, timeout, signal);
  }

  /** @internal As {@link Reactor.dial}, for the layer above. */
  async connect(target: DialTarget, timeout: number, signal?: AbortSignal): Promise<ReactorConnection> {
    assertDialable(target, timeout);
    if (this.moving === undefined || this.state.closing || signal?.aborted === true) {
      throw connectError('ECANCELED', target, { cause: signal?.reason as unknown });
    }
    const { outbound } = this.state.loops[this.nextDialLoop++ % this.state.loops.length]!;
    return this.state.dials.dial(outbound, target, timeout, signal);
  }

  /** Who moves its bytes; undefined before it starts and when it has stopped. */
  get engine(): 'native' | 'javascript' | undefined {
    return this.moving?.kind;
  }

  /** Where it listens; null before and after. */
  address(): GevAddress | null {
    return this.state.listeners[0]!.address;
  }

  /** Where each of its listeners listens; empty before and after. */
  addresses(): readonly GevAddress[] {
    return this.state.listeners.flatMap(({ address }) => address ?? []);
  }

  /** Has it keep the process alive while it runs, as it does unless {@link Reactor.unref} was called. */
  ref(): void {
    this.hold(true);
  }

  /** The process may end although the reactor runs, whatever connections and timers it has. */
  unref(): void {
    this.hold(false);
  }

  /** Opens the gate of a connection: it becomes `open` and is read from. */
  admit(connection: GevConnection<object, unknown>): void {
    this.state.open.get(connection.id)?.admit();
  }

  /** Closes a connection that was not admitted. */
  refuse(connection: GevConnection<object, unknown>): void {
    connection.close();
  }

  /** After `onEnd`: no reply is pending any more. Flushes and closes, reason `peer`, `protocol` or why it was to leave. */
  finish(connection: GevConnection<object, unknown>): void {
    this.state.open.get(connection.id)?.finish();
  }

  /**
   * Who may connect from now on, instead of options `allow` and `deny`. Connections that are open stay.
   *
   * @throws GevOptionsError for what is no address
   */
  setAccess(access: GevAccess): void {
    this.options = { ...this.options, ...checkAccess(access) };
    this.moving?.setAccess(accessRules(access));
  }

  /** Stops reading from a connection; what the kernel holds makes its peer wait. */
  pause(connection: GevConnection<object, unknown>): void {
    this.state.open.get(connection.id)?.pause();
  }

  /** Goes on reading from a connection. */
  resume(connection: GevConnection<object, unknown>): void {
    this.state.open.get(connection.id)?.resume();
  }

  /**
   * Sends the same bytes to every open connection, or to some: those that the filter picks, or those given, as far as they
   * are this reactor's and open, each once. One for which the filter throws is left out, and reported.
   *
   * @returns how many
   * @throws GevHandlerError for what is neither bytes nor text, and for receivers that are neither; GevFrameTooLongError
   */
  broadcast<Data extends object = Record<string, unknown>, Frame = GevData>(
    data: NoInfer<Frame>,
    receivers?: GevReceivers<Data, Frame>,
  ): number {
    return broadcast(this.state, data as GevData, receivers as GevReceivers | undefined);
  }

  /**
   * Stops accepting and, once everything the kernel already holds has been delivered, stops reading. Resolves with the
   * delivery of the last such message.
   */
  quiesce(): Promise<void> {
    if (this.moving === undefined) return Promise.resolve();
    return (this.quiescing ??= this.quiesceLoops());
  }

  /**
   * Accepts what waits to be accepted, and nothing later. Resolves when every such connection was announced. Instead of
   * {@link Reactor.quiesce}: reading goes on.
   */
  stopAccepting(): Promise<void> {
    if (this.moving === undefined) return Promise.resolve();
    return (this.quiescing ??= this.quiesceLoops(READ_ON));
  }

  /** Closes every connection, reason `shutdown`, and gives up every dial; what is not closed after `timeout` ms is cut. */
  async closeAll(timeout: number): Promise<void> {
    if (this.moving === undefined) return;
    this.state.closing = true;
    debug('closing %d connections, within %d ms', this.state.open.size, Math.round(timeout));
    this.state.dials.cancelAll();
    for (const connection of this.state.open.values()) connection.closeFor('shutdown');
    if (await this.whenEmpty(timeout)) return;
    debug('cutting %d connections that are left', this.state.open.size);
    for (const loop of this.state.loops) {
      if (!loop.abandoned) loop.outbound.command(Operation.AbortAll, 0, 0, closeReasonCode('shutdown'));
    }
    await this.whenEmpty(ABORT_GRACE_MS);
  }

  /**
   * Joins the loops and releases every descriptor. Every connection that is left closes, reason `shutdown`; when this
   * resolves, nothing is told any more. May be called in any callback. Idempotent.
   */
  stop(): Promise<void> {
    this.stopped = true;
    this.state.timers?.stop();
    this.state.timers = undefined;
    const engine = this.moving;
    if (engine === undefined) return Promise.resolve();
    this.state.dials.cancelAll();
    this.moving = undefined;
    for (const listener of this.state.listeners) listener.address = null;
    engine.stop();
    debug('stopped');
    for (const loop of this.state.loops) loop.abandon();
    return Promise.resolve();
  }

  /**
   * Runs `fn` once, `ms` milliseconds from now. Only while listening. What it throws is reported.
   *
   * @throws GevTimerError unless `ms` is a whole number from 1 to 2147483647
   */
  runAfter(ms: number, fn: () => unknown): ReactorTimerHandle {
    assertInterval(ms, 'The delay of runAfter()');
    return this.requireTimers().start(ms, 0, false, fn);
  }

  /**
   * Runs `fn` every `ms` milliseconds at a fixed rate. Ticks during an unsettled run are skipped unless `overlap`. What it
   * throws is reported.
   *
   * @throws GevTimerError unless `ms` is a whole number from 1 to 2147483647
   */
  runEvery(ms: number, fn: () => unknown, options?: { readonly overlap?: boolean }): ReactorTimerHandle {
    assertInterval(ms, 'The interval of runEvery()');
    return this.requireTimers().start(ms, ms, options?.overlap ?? false, fn);
  }

  /** Replaces the TLS of its listeners, for connections yet to come. @throws GevOptionsError, and nothing has changed */
  setTls(options: GevTlsOptions): void {
    const secure = this.state.listeners.filter(({ tls }) => tls !== undefined);
    if (secure.length === 0) {
      throw new GevOptionsError(
        'tlsOptions',
        'None of the listeners speaks TLS: give "tlsOptions" to begin with',
      );
    }
    const tls = resolveServerTls(options, 'tlsOptions', secure[0]!.tls!.ticketKeys);
    for (const listener of secure) {
      this.moving?.setTls(listener.index, tls);
      listener.tls = tls;
    }
  }

  /** Counters since listen. */
  stats(): ReactorStats {
    return statsOf(this.state, this.moving?.stats());
  }

  /** @internal Whether the last connection closed in time, in ms. */
  whenEmpty(timeout: number): Promise<boolean> {
    return this.state.whenEmpty(timeout);
  }

  private canceled(host: string): GevListenError {
    const { path, port } = this.options;
    return new GevListenError('ECANCELED', { address: host, port, path });
  }

  private startLoops(): void {
    if (this.stopped) throw new GevAlreadyListeningError(STARTS_ONCE);
    this.assertUnused();
    const engine = this.createEngine();
    try {
      inFreshScope(() => engine.start());
    } catch (error) {
      this.state.loops.length = 0;
      const { errno, syscall, message } = error as NodeJS.ErrnoException;
      throw new GevNativeError(`The loops do not start: ${message}`, {
        cause: error,
        errno: errno === undefined ? undefined : -errno,
        syscall,
      });
    }
    this.begin(engine);
    debug('started, to dial, with %s', this.loopsText);
  }

  /** For a line of {@link debug}. */
  private get loopsText(): string {
    return this.options.loops === 0 ? 'inline' : `loops: ${this.options.loops}`;
  }

  private hold(hold: boolean): void {
    if (hold === this.referenced) return;
    this.referenced = hold;
    this.moving?.hold(hold);
  }

  private begin(engine: Engine): void {
    this.moving = engine;
    if (!this.referenced) engine.hold(false);
    this.state.timers = new ReactorTimers(this.state.loops[0]!.outbound, (error) =>
      this.state.reportFailure('A timer', error),
    );
  }

  private assertUnused(): void {
    if (this.moving !== undefined || this.binding) throw new GevAlreadyListeningError(STARTS_ONCE);
  }

  private createEngine(): Engine {
    const engine = createEngine(this.options, () => this.state.handler.turns);
    for (let index = 0; index < engine.loopCount; index++) {
      this.state.loops.push(new ReactorLoop(index, this.state, engine, this.options));
    }
    return engine;
  }

  private async quiesceLoops(argument = 0): Promise<void> {
    debug('accepting no more%s', argument === READ_ON ? '' : ', reading what the kernel holds and no more');
    const [accepting, ...others] = this.state.loops;
    // First the loop that accepts: it may still hand connections to the others.
    await this.quiesceLoop(accepting!, argument);
    await Promise.all(others.map((loop) => this.quiesceLoop(loop, argument)));
  }

  private quiesceLoop(loop: ReactorLoop, argument: number): Promise<void> {
    if (loop.abandoned) return Promise.resolve();
    const quiesced = loop.onceQuiesced(argument === READ_ON);
    loop.outbound.command(Operation.Quiesce, 0, 0, argument);
    return quiesced;
  }

  private requireTimers(): ReactorTimers {
    if (this.state.timers === undefined)
      throw new GevNotListeningError('Timers of a reactor run from its start to its stop');
    return this.state.timers;
  }
}
