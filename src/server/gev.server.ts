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
import { type GevConnection, type GevReceivers, nameOf } from '../core/connection.js';
import type { GevData } from '../core/data.js';
import { GEV_TRANSPORT } from '../core/constants.js';
import { boundObservable, EventSource } from '../core/contained-observable.js';
import { GevAlreadyListeningError } from '../core/errors.js';
import { Listeners } from '../core/listeners.js';
import { overrides } from '../core/overrides.js';
import type { GevServerOptions, ReactorOptions, ResolvedGevServerOptions } from '../core/options.js';
import { Reactor } from '../core/reactor.js';
import { reactorOptionsOf } from '../core/reactor-options.js';
import type { GevIntervalOptions, GevTimer, GevTimerOptions } from '../core/timer.js';
import { packetOptionsOf, validateServerOptions } from '../core/validate-options.js';
import { Admission } from './admission/admission.js';
import { ConnectionAges } from './connections/connection-ages.js';
import { ConnectionEvents } from './connections/connection-events.js';
import { ErrorLog } from '../core/error-log.js';
import type { EventHandler, NestHandler } from './connections/event-handlers.js';
import { GevServerHandle } from './gev.server-handle.js';
import {
  SERVER_EVENTS,
  type GevServerEvents,
  type GevServerStats,
  type GevServerStatus,
} from './gev.server.events.js';
import { HANDLER_MARKER, type ConnectionEvent, type HandlerMarker } from './handler-marker.js';
import { type ProcessingHooks, withProcessingHooks } from './processing-hooks.js';
import { ServerTimers } from './server-timers.js';
import { PlainReplies, SerializedReplies } from './rpc/replies.js';
import { patternTexts, RouteTable } from './rpc/routes.js';
import { RpcDispatcher } from './rpc/dispatcher.js';
import { Registrations } from './registrations.js';
import { countListening, serverNames, titleOf } from './server-names.js';
import { throughReplySteps } from './rpc/reply-steps.js';
import { drain } from './shutdown.js';

const NO_CONNECTIONS: ReadonlyMap<number, GevConnection> = new Map();
const NO_STATS: ReturnType<Reactor['stats']> = {
  accepted: 0,
  refused: 0,
  refusedSends: 0,
  overPartialBytes: 0,
  overTotalSendBuffer: 0,
  open: 0,
  loops: [],
};

/** A server while it listens. */
interface Running {
  readonly reactor: Reactor;
  readonly events: ConnectionEvents;
}

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

  private readonly options: ResolvedGevServerOptions;
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
  private hooked = false;
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

  /** @throws GevOptionsError for a value an option cannot have, and for unknown options */
  constructor(options: GevServerOptions = {}) {
    super();
    this.options = validateServerOptions(options);
    const { name } = this.options;
    this.name = name;
    if (name !== undefined) serverNames.made.add(name);
    const { carriesPackets } = this;
    this.registrations = new Registrations({
      ...{ name, carriesPackets },
      idleOptions: carriesPackets ? [] : packetOptionsOf(options),
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
  broadcast<Data extends object = Record<string, unknown>>(
    data: GevData,
    receivers?: GevReceivers<Data>,
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

  /** Counters since listen. */
  stats(): GevServerStats {
    const { reactor, events } = this.running ?? {};
    return {
      ...(reactor?.stats() ?? NO_STATS),
      handlers: {
        pending: (events?.work.count ?? 0) + (events?.rpc?.abandoned ?? 0),
        inFlight: events?.rpc?.admission.inFlight ?? 0,
        overloaded: events?.rpc?.admission.shed ?? 0,
        lateReplies: events?.lateReplies ?? 0,
        droppedValues: this.droppedValues,
      },
    };
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

  private get carriesPackets(): boolean {
    return this.options.codec.framing !== 'raw';
  }

  private async startReactor(): Promise<GevAddress> {
    this.registrations.look(this.transportId);
    const events = this.createEvents();
    const gateConnections = events.hasConnectHandlers;
    const patterns = patternTexts(this.messageHandlers.keys());
    const reactor = this.createReactor(
      { ...reactorOptionsOf(this.options), gateConnections, patterns },
      events,
    );
    events.reactor = reactor;
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
    const { codec, concurrency, highWaterMark, closeTimeout, handshakeTimeout } = this.options;
    const { overflow, overflowLimit, maxConnectionAge, drainTimeout } = this.options;
    return new ConnectionEvents({
      connectHandlers: this.handlersOf('connect'),
      messageHandlers: this.handlersOf('message'),
      closeHandlers: this.handlersOf('close'),
      concurrency,
      maxQueuedBytes: highWaterMark,
      borrowed: codec.copy === false,
      closeTimeout,
      handshakeTimeout,
      ages: maxConnectionAge === 0 ? undefined : new ConnectionAges(maxConnectionAge, drainTimeout),
      overflow: { overflow, overflowLimit, onDropped: (count) => (this.droppedValues += count) },
      createRpc: this.carriesPackets ? (events) => this.createRpc(events) : undefined,
      onUnsent: (handler) =>
        this.warn(
          `What ${handler} returns is not sent: the ${titleOf(this.name)} speaks RPC, where @OnConnect() and @OnMessage() ` +
            "observe. Use conn.send(), or bind the method to a server with raw(): { server: 'name' }",
        ),
      log: this.log,
      onConnection: (connection) => {
        this.opened.next(connection);
        this.listeners.emit('connection', connection);
      },
      onError: (error) => this.listeners.emit('error', error),
    });
  }

  private createRpc(events: ConnectionEvents): RpcDispatcher {
    const { serializer, deserializer, concurrency, maxInFlight } = this.options;
    const { log } = this;
    const { prototype } = Server;
    const routes = new RouteTable(
      this.messageHandlers,
      (pattern) => this.getHandlerByPattern(pattern),
      (handler) => this.withOverrides(this.hooked ? (this.withHooks(handler) as MessageHandler) : handler),
      overrides(this, prototype, 'getHandlerByPattern', 'getRouteFromPattern', 'normalizePattern'),
    );
    return new RpcDispatcher({
      routes,
      replies: serializer === undefined ? new PlainReplies() : new SerializedReplies(serializer),
      countLate: (error) => events.countLate(error),
      overflow: events.overflow,
      concurrency,
      deserializer,
      handleEvent: overrides(this, prototype, 'handleEvent')
        ? (pattern, packet, context) => this.handleEvent(pattern, packet, context)
        : undefined,
      work: events.work,
      turns: events.turns,
      admission: new Admission(maxInFlight, events.turns),
      log,
      describe: nameOf,
    });
  }

  private withOverrides(handler: MessageHandler): MessageHandler {
    if (!overrides(this, Server.prototype, 'send', 'transformToObservable')) return handler;
    return throughReplySteps(handler, {
      toObservable: (result) => this.transformToObservable(result),
      send: (source, respond) => this.send(source, respond),
    }) as MessageHandler;
  }

  /** In a hybrid application the server may listen long before the hooks come. */
  private onHooked(): void {
    this.hooked = true;
    this.running?.events.rpc?.forgetRoutes();
  }

  private withHooks(handler: NestHandler): NestHandler {
    const hooks: ProcessingHooks = {
      start: (context, done) => this.onProcessingStartHook(this.transportId, context, done),
      end: (context) => this.onProcessingEndHook?.(this.transportId, context),
    };
    return withProcessingHooks(handler, hooks, (...failure) => this.fail(...failure));
  }

  private handlersOf(event: ConnectionEvent): EventHandler[] {
    if (!this.hooked) return this.registrations.handlers.of(event);
    return this.registrations.handlers.of(event, (handler: NestHandler) => this.withHooks(handler));
  }

  /** A function of the application that belongs to no connection has thrown. */
  private fail(culprit: string, error: unknown): void {
    this.log.report(culprit, 'error', `${culprit} failed`, error);
  }
}
