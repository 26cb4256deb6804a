import { Logger, type LoggerService } from '@nestjs/common';
import {
  Server,
  type CustomTransportStrategy,
  type MessageHandler,
  type MsPattern,
  type Transport,
} from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import type { GevAddress } from '../core/address.js';
import type { GevConnection, GevReceivers } from '../core/connection.js';
import type { GevData } from '../core/data.js';
import { GEV_TRANSPORT } from '../core/constants.js';
import { boundObservable, EventSource } from '../core/contained-observable.js';
import { GevAlreadyListeningError } from '../core/errors.js';
import { Listeners } from '../core/listeners.js';
import type { GevServerOptions, ReactorOptions, ResolvedGevServerOptions } from '../core/options.js';
import { Reactor } from '../core/reactor.js';
import { NO_STATS } from '../core/reactor-stats.js';
import type { GevTlsOptions } from '../core/tls/tls-options.js';
import { reactorOptionsOf } from '../core/reactor-options.js';
import type { GevIntervalOptions, GevTimer, GevTimerOptions } from '../core/timer.js';
import { patternTexts } from '../protocol/nest-json/packet-reader.js';
import { idleOptionsOf, validateServerOptions } from '../core/validate-options.js';
import { assemble } from './assembly.js';
import { carriesPackets } from './connections/connection-protocol.js';
import { type ConnectionEvents, handlerStatsOf } from './connections/connection-events.js';
import { checkAccess, type GevAccess } from '../core/access.js';
import { ErrorLog } from '../core/error-log.js';
import { GevServerHandle } from './gev.server-handle.js';
import {
  SERVER_EVENTS,
  type GevServerEvents,
  type GevServerStats,
  type GevServerStatus,
} from './gev.server.events.js';
import { HANDLER_MARKER, type HandlerMarker } from './handlers/handler-marker.js';
import { NestSteps } from './handlers/nest-steps.js';
import { ServerTimers } from './server-timers.js';
import { Registrations } from './handlers/registrations.js';
import { countListening, serverNames, unsentText } from './server-names.js';
import { drain } from './shutdown.js';

const NO_CONNECTIONS: ReadonlyMap<number, GevConnection> = new Map();

/** A server while it listens. */
type Running = { readonly reactor: Reactor; readonly events: ConnectionEvents };

/**
 * Nest's microservice strategy on the native reactor. With `nestJson()`, the default codec, it runs `@MessagePattern` and
 * `@EventPattern` handlers for clients of Nest's `Transport.TCP` and for {@link GevClient}; with every codec it takes
 * connections to `@OnConnect`, `@OnMessage` and `@OnClose` handlers, and writes back what those return.
 *
 * @example
 * ```ts
 * const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
 *   strategy: new GevServer({ host: '0.0.0.0', port: 3000 }),
 * });
 * app.enableShutdownHooks();
 * await app.listen();
 * ```
 * @publicApi
 */
export class GevServer
  extends Server<GevServerEvents, GevServerStatus>
  implements CustomTransportStrategy, Iterable<GevConnection>
{
  /** {@link GEV_TRANSPORT}: handlers that name another transport are not registered here. */
  override transportId: Transport | symbol = GEV_TRANSPORT;
  protected override readonly logger: LoggerService;
  /** Of Nest 12: failures of event handlers are logged here, not there. */
  override readonly propagatesEventHandlerErrors = true;

  /** What handlers, timers and `@InjectGevServer()` call it by; undefined: nothing. */
  readonly name: string | undefined;

  private options: ResolvedGevServerOptions;
  private readonly registrations: Registrations;
  private readonly listeners = new Listeners<GevServerEvents>(
    'server',
    SERVER_EVENTS,
    (...failure) => this.fail(...failure),
    (message) => this.warn(message),
  );
  private readonly opened = new EventSource<GevConnection>('A subscriber of connections$', (...failure) =>
    this.fail(...failure),
  );
  private readonly handle = new GevServerHandle(
    () => this.running?.reactor,
    this.listeners,
    () => this.close(),
    (...failure) => this.fail(...failure),
  );
  private readonly log: ErrorLog;
  private readonly timers: ServerTimers;
  private readonly warned = new Set<string>();
  private readonly steps = new NestSteps(
    this,
    {
      start: (context, done) => this.onProcessingStartHook(this.transportId, context, done),
      end: (context) => this.onProcessingEndHook?.(this.transportId, context),
    },
    (...failure) => this.fail(...failure),
  );
  private droppedValues = 0;
  /** @internal Somebody has called listen(). */
  wasStarted = false;
  private running: Running | undefined;
  private starting: Promise<GevAddress> | undefined;
  private stopping: Promise<void> | undefined;

  /**
   * Each connection as it is accepted, by every `@OnConnect` handler too, and before any message of it is handled.
   * Goes on through `close()` and a further `listen()`.
   */
  readonly connections$: Observable<GevConnection> = this.opened.observable;

  /** @throws GevOptionsError for wrong values and unknown names */
  constructor(options: GevServerOptions = {}) {
    super();
    this.options = validateServerOptions(options);
    const { name } = this.options;
    this.name = name;
    if (name !== undefined) serverNames.made.add(name);
    this.registrations = new Registrations({
      name,
      carriesPackets: this.options.listeners.some(({ codec }) => carriesPackets(codec)),
      idleOptions: idleOptionsOf(options, this.options),
      warn: (message) => this.warn(message),
    });
    this.logger =
      options.logger ?? new Logger(name === undefined ? GevServer.name : `${GevServer.name}:${name}`);
    this.log = new ErrorLog(this.options.logger ?? this.logger);
    this.timers = new ServerTimers((name, error) =>
      this.log.report(`timer ${name}`, 'error', `Timer "${name}" failed`, error),
    );
  }

  /** Whether the server listens, for late subscribers too. */
  override get status(): Observable<GevServerStatus> {
    return boundObservable(super.status, 'A subscriber of status', (...failure) => this.fail(...failure));
  }

  /** Open connections by id; those that `@OnConnect` handlers are still at work on are among them. */
  get connections(): ReadonlyMap<number, GevConnection> {
    return this.running?.reactor.connections ?? NO_CONNECTIONS;
  }

  /** The open connection with that {@link GevConnection.identity}; undefined where there is none. */
  get<Data extends object = Record<string, unknown>, Frame = GevData>(
    identity: string,
  ): GevConnection<Data, Frame> | undefined {
    return this.running?.reactor.get(identity);
  }

  /** Goes over {@link GevServer.connections}. */
  [Symbol.iterator](): IterableIterator<GevConnection> {
    return this.connections.values();
  }

  /**
   * Starts to listen; called by Nest. After `close()` it may be called again.
   *
   * @param callback gets a {@link GevListenError}, or nothing and the address
   */
  override listen(callback: (error?: Error, address?: GevAddress) => unknown): void {
    if (this.stopping !== undefined) {
      callback(new GevAlreadyListeningError('The server is still closing: await close() before listen()'));
      return;
    }
    if (this.running !== undefined || this.starting !== undefined) {
      callback(new GevAlreadyListeningError());
      return;
    }
    this.wasStarted = true;
    this.starting = this.startReactor().finally(() => (this.starting = undefined));
    this.starting.then(
      (address) => callback(undefined, address),
      (error: unknown) => callback(error as Error),
    );
  }

  /**
   * Stops within `drainTimeout`: accepts no more, asks the peers of RPC to go and answers them meanwhile, lets handlers at
   * work answer, flushes, closes every connection (reason `shutdown`), waits for `@OnClose` handlers and releases every
   * descriptor. Timers end first. Harmless before listen, during listen and when repeated.
   */
  override close(): Promise<void> {
    return (this.stopping ??= this.stopReactor().finally(() => (this.stopping = undefined)));
  }

  /** Listens to an event of the server; may be called before `listen()`. */
  override on<
    EventKey extends keyof GevServerEvents = keyof GevServerEvents,
    EventCallback extends GevServerEvents[EventKey] = GevServerEvents[EventKey],
  >(event: EventKey, callback: EventCallback): this {
    this.listeners.on(event, callback);
    return this;
  }

  /** The server with what users of `net.Server` reach for, before listen too, and the {@link Reactor} below. */
  override unwrap<T = GevServerHandle>(): T {
    return this.handle as T;
  }

  /** Where the server listens, with the real port; null while it does not. */
  address(): GevAddress | null {
    return this.running?.reactor.address() ?? null;
  }

  /** Where each of the `listeners` listens, in their order; empty while they do not. */
  addresses(): readonly GevAddress[] {
    return this.running?.reactor.addresses() ?? [];
  }

  /**
   * Sends the same data to every open connection, or to some: those that the filter picks, or those given, each once, as far
   * as they are this server's and open. The data is shared, not copied for each. With `nestJson()` it is the content of one
   * frame, so JSON text.
   *
   * @returns how many connections it goes to; 0 while the server does not listen
   * @throws GevHandlerError for what is neither bytes nor text; with `nestJson()` GevFrameTooLongError above `maxFrameLength`
   * @example
   * ```ts
   * server.broadcast('closing time\n');
   * server.broadcast('lunch\n', ({ data }: GevConnection<Guest>) => data.table === 4);
   * server.broadcast('hello\n', members); // a Set<GevConnection<Guest>>, say
   * ```
   */
  broadcast<Data extends object = Record<string, unknown>, Frame = GevData>(
    data: NoInfer<Frame>,
    receivers?: GevReceivers<Data, Frame>,
  ): number {
    return this.running?.reactor.broadcast(data, receivers) ?? 0;
  }

  /**
   * Runs `fn` every `ms` milliseconds, at a fixed rate from listen on, until cancelled or the server closes. While a
   * promise it returned is pending, ticks are skipped and counted, unless `overlap` is set. What it throws is logged.
   *
   * @throws GevTimerError unless `ms` is a whole number from 1 to 2147483647
   * @example
   * ```ts
   * const timer = server.runEvery(1000, () => server.broadcast('tick\n'), { signal });
   * ```
   */
  runEvery(ms: number, fn: () => unknown, options?: GevIntervalOptions): GevTimer {
    return this.timers.runEvery(ms, fn, options);
  }

  /**
   * Runs `fn` once, `ms` milliseconds from now or from listen, whichever is later.
   *
   * @throws GevTimerError unless `ms` is a whole number from 1 to 2147483647
   */
  runAfter(ms: number, fn: () => unknown, options?: GevTimerOptions): GevTimer {
    return this.timers.runAfter(ms, fn, options);
  }

  /** Replaces the `tlsOptions` of all listeners that have some, for connections yet to come. @throws GevOptionsError */
  setTls(options: GevTlsOptions): void {
    this.handle.reactor.setTls(options);
  }

  /**
   * Who may connect from now on, instead of options `allow` and `deny`. Connections that are open stay.
   *
   * @throws GevOptionsError for what is no address
   */
  setAccess(access: GevAccess): void {
    this.options = { ...this.options, ...checkAccess(access) };
    this.running?.reactor.setAccess(access);
  }

  /** Counters since listen. */
  stats(): GevServerStats {
    const { reactor, events } = this.running ?? {};
    const { droppedValues } = this;
    return { ...(reactor?.stats() ?? NO_STATS), handlers: { ...handlerStatsOf(events), droppedValues } };
  }

  /**
   * Called by Nest for every handler of the application's controllers. Those of connection events go to lists of their
   * own: there may be several an event, and no message on the wire must reach them by their pattern. Those of servers with
   * other names are left out.
   *
   * @throws GevDuplicatePatternError for a second handler of the same requests
   */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string | symbol, unknown> = {},
  ): void {
    const { registrations } = this;
    const marker = extras[HANDLER_MARKER] as HandlerMarker | undefined;
    if (marker !== undefined) registrations.addConnectionHandler(marker, callback, extras);
    else if (
      registrations.takesPattern(this.normalizePattern(pattern as MsPattern), isEventHandler, extras)
    ) {
      super.addHandler(pattern, callback, isEventHandler, extras);
      this.running?.events.forgetRoutes();
    }
  }

  override setOnProcessingStartHook(hook: Parameters<Server['setOnProcessingStartHook']>[0]): void {
    super.setOnProcessingStartHook(hook);
    this.onHooked();
  }

  override setOnProcessingEndHook(hook: Parameters<Server['setOnProcessingEndHook']>[0]): void {
    super.setOnProcessingEndHook(hook);
    this.onHooked();
  }

  /** @internal The reactor to listen with; a seam for tests. */
  protected createReactor(options: ReactorOptions, events: ConnectionEvents): Reactor {
    return new Reactor(options, events);
  }

  private async startReactor(): Promise<GevAddress> {
    this.registrations.look(this.transportId);
    const events = this.createEvents();
    const gateConnections = events.lifecycle.hasConnectHandlers;
    const patterns = patternTexts(this.messageHandlers.keys());
    const reactor = this.createReactor(
      { ...reactorOptionsOf(this.options), gateConnections, patterns },
      events,
    );
    events.attach(reactor);
    if (!this.handle.referenced) reactor.unref();
    this.running = { reactor, events };
    countListening(this.name, 1);
    try {
      const address = await reactor.listen();
      this.timers.start(reactor);
      this._status$.next('connected');
      this.listeners.emit('listening', address);
      return address;
    } catch (error) {
      this.running = undefined;
      countListening(this.name, -1);
      await reactor.stop();
      this._status$.next('disconnected');
      throw error;
    }
  }

  private async stopReactor(): Promise<void> {
    await this.starting?.catch(() => undefined);
    this.timers.stop();
    const { running } = this;
    if (running === undefined) return;
    try {
      await drain(running.reactor, running.events, this.options);
    } finally {
      await running.reactor.stop();
      this.running = undefined;
      countListening(this.name, -1);
      this._status$.next('disconnected');
      this.listeners.emit('close');
    }
  }

  /** Once for each message. */
  private warn(message: string): void {
    if (this.warned.has(message)) return;
    this.warned.add(message);
    this.logger.warn(message);
  }

  private createEvents(): ConnectionEvents {
    const { options, steps, log } = this;
    return assemble({
      options,
      steps,
      log,
      connectionHandlers: this.registrations.handlers,
      patternHandlers: this.messageHandlers,
      onUnsent: (handler) => this.warn(unsentText(handler, this.name)),
      onDropped: (count) => (this.droppedValues += count),
      onConnection: (connection) => {
        this.opened.next(connection);
        this.listeners.emit('connection', connection);
      },
      onError: (error) => this.listeners.emit('error', error),
    });
  }

  private onHooked(): void {
    this.steps.hooked = true;
    this.running?.events.forgetRoutes();
  }

  /** A function of the application that belongs to no connection has thrown. */
  private fail(culprit: string, error: unknown): void {
    this.log.report(culprit, 'error', `${culprit} failed`, error);
  }
}
