import { Logger } from '@nestjs/common';
import { ClientProxy, type MsPattern, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import { Observable, Subject, type Subscriber, type TeardownLogic } from 'rxjs';
import { GevClientClosedError, GevNotConnectedError } from '../core/client-errors.js';
import { boundObservable, ContainedObservable } from '../core/contained-observable.js';
import { overrides } from '../core/overrides.js';
import { ProcessHold } from '../core/process-hold.js';
import { Reactor, type ReactorHandler } from '../core/reactor.js';
import { inFreshScope } from '../engine/fresh-scope.js';
import { systemClock } from '../core/clock.js';
import { Deadlines } from '../core/deadlines.js';
import { helloOf } from '../protocol/nest-json/vocabulary.js';
import { notationOf } from '../protocol/nest-packets.js';
import { Call } from './calls/call.js';
import { Calls, type CallSetup } from './calls/calls.js';
import { EventDispatch } from './calls/event-dispatch.js';
import type { Outgoing } from './calls/outgoing.js';
import { PacketSerializer, ReplyDeserializer } from './calls/serialization.js';
import { Session } from './calls/session.js';
import { ClientReport } from './client-report.js';
import type {
  GevClientEvents,
  GevClientInternals,
  GevClientStats,
  GevClientStatus,
} from './gev.client.events.js';
import type { GevClientOptions, ResolvedGevClientOptions } from './gev.client.options.js';
import { type GevMetadata, type GevRecord, type GevRecordOptions, isRecord } from './gev.record.js';
import { idleStats } from './pool/endpoint.js';
import { Endpoints } from './pool/endpoints.js';
import type { ClientReactor } from './pool/reactor-on-demand.js';
import { reactorOptions } from './reactor-options.js';
import { validateClientOptions } from './validate-client-options.js';

/**
 * Nest's client proxy on the native reactor, for a {@link GevServer} or Nest's own TCP server.
 *
 * @example
 * ```ts
 * ClientsModule.register([
 *   { name: 'MATH', customClass: GevClient, options: { host: 'math', port: 3000, requestTimeout: 2_000 } },
 * ]);
 * ```
 * @publicApi
 */
export class GevClient extends ClientProxy<GevClientEvents, string> {
  private readonly options: ResolvedGevClientOptions;
  private readonly report: ClientReport;
  private readonly setup: CallSetup;
  private readonly calls: Calls;
  private readonly hold = new ProcessHold();
  private endpoints: Endpoints | undefined;
  private closing: Promise<void> | undefined;

  /** @throws GevOptionsError for a value an option cannot have, and for unknown options */
  constructor(options: GevClientOptions = {}) {
    super();
    this.options = validateClientOptions(options);
    const { serializer, deserializer, errors, logger, requestTimeout, connectTimeout } = this.options;
    const notation = notationOf(this.options.codec)!;
    this.initializeSerializer({ serializer });
    this.initializeDeserializer({ deserializer });
    this.report = new ClientReport(logger ?? new Logger(GevClient.name));
    this.setup = {
      requestTimeout,
      connectTimeout,
      deadlines: new Deadlines<Outgoing>(systemClock, (outgoing) => this.expire(outgoing)),
      clock: systemClock,
      hello: helloOf(this.options.codec),
      hold: this.hold,
      packets: new PacketSerializer(serializer, notation),
      replies: new ReplyDeserializer(this.deserializer, deserializer !== undefined, notation),
      errors,
      metadataOf: (outgoing) => this.metadataOf(outgoing),
      serializeError: (error) => this.serializeError(error) as unknown,
      serializeResponse: (response) => this.serializeResponse(response) as unknown,
      assign: (outgoing) => this.assignAgain(outgoing),
      onFailure: (cause) => this.report.failure(cause),
    };
    this.calls = new Calls(this.setup);
  }

  /** Whether anything is connected, for late subscribers too. */
  override get status(): Observable<GevClientStatus> {
    return boundObservable(
      super.status as Observable<GevClientStatus>,
      'A subscriber of status',
      this.contained,
    );
  }

  /**
   * Connects, unless connected. Not needed: the first request does it. Resolves when a connection to one of the endpoints
   * is up.
   *
   * @throws GevConnectError (as rejection) when none could be reached
   */
  override connect(): Promise<void> {
    return this.pool().connectAny();
  }

  /**
   * Fails what is in flight or waits with a {@link GevClientClosedError} and has a {@link GevServer} stop working on it,
   * flushes what was sent, closes every connection and stops the reactor. Harmless when repeated; the next request, or `connect()`, begins anew.
   */
  override close(): Promise<void> {
    const { endpoints } = this;
    if (endpoints === undefined) return this.closing ?? Promise.resolve();
    this.endpoints = undefined;
    const ended = endpoints.close();
    this.calls.failUnsent(new GevClientClosedError());
    const closing = Promise.all([this.closing, ended]).then(() => {
      if (this.closing === closing) this.closing = undefined;
    });
    return (this.closing = closing);
  }

  /** Listens to an event of the client. */
  override on<
    EventKey extends keyof GevClientEvents = keyof GevClientEvents,
    EventCallback extends GevClientEvents[EventKey] = GevClientEvents[EventKey],
  >(event: EventKey, callback: EventCallback): this {
    this.report.on(event, callback);
    return this;
  }

  /**
   * The {@link Reactor} below and the connections that are up.
   *
   * @throws GevNotConnectedError before connect
   */
  override unwrap<T = GevClientInternals>(): T {
    const reactor = this.endpoints?.reactor;
    if (reactor === undefined) {
      throw new GevNotConnectedError('Not initialized. Please call the "connect" method first.');
    }
    return { reactor, connections: this.endpoints!.connections } as T;
  }

  /** Counters, and what is known of each endpoint. */
  stats(): GevClientStats {
    const { timeouts, lateReplies, retries } = this.calls;
    const endpoints = this.endpoints?.stats() ?? this.options.endpoints.map(idleStats);
    return {
      inFlight: endpoints.reduce((sum, { inFlight }) => sum + inFlight, 0),
      bufferedBytes: endpoints.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      queued: this.endpoints?.queued ?? 0,
      timeouts,
      lateReplies,
      retries,
      reconnects: this.report.reconnects,
      endpoints,
    };
  }

  /**
   * Sends a request with each subscription. Unsubscribing before the last reply frees it and tells a {@link GevServer} to
   * stop.
   *
   * @param data any JSON value, or a {@link GevRecord} with options for this request
   */
  override send<TResult = unknown, TInput = unknown>(
    pattern: unknown,
    data: TInput | GevRecord<TInput>,
  ): Observable<TResult> {
    const options = optionsOf(data);
    const payload = payloadOf(data);
    // Nest's own answer to a pattern or data that is nothing.
    if (isNil(pattern) || isNil(payload)) return super.send<TResult>(null, null);
    if (this.isOverridden('publish', 'connect', 'createObserver')) return super.send(pattern, data);
    return this.observable((subscriber) => this.request(subscriber, pattern, payload, options));
  }

  /**
   * Sends an event at once, subscribed or not. Completes when the kernel has taken it.
   *
   * @param data any JSON value, or a {@link GevRecord} with options for this event
   */
  override emit<TResult = unknown, TInput = unknown>(
    pattern: unknown,
    data: TInput | GevRecord<TInput>,
  ): Observable<TResult> {
    const options = optionsOf(data);
    const payload = payloadOf(data);
    if (isNil(pattern) || isNil(payload)) return super.emit<TResult>(null, null);
    if (this.isOverridden('dispatchEvent', 'connect')) return super.emit(pattern, data);
    const result = new Subject<TResult>();
    this.dispatch(pattern, payload, options, (error) => {
      if (error === undefined) {
        result.next(undefined as TResult);
        result.complete();
      } else {
        result.error(error);
      }
    });
    return this.observable((subscriber) => result.subscribe(subscriber));
  }

  /** Nest's way to send a request. `send()` takes it where a subclass has overridden a step of it. */
  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const subscription = new Observable((subscriber) =>
      this.request(subscriber, packet.pattern, payloadOf(packet.data), optionsOfPacket(packet)),
    ).subscribe({
      next: (response) => callback({ response }),
      error: (err: unknown) => callback({ err, isDisposed: true }),
      complete: () => callback({ isDisposed: true }),
    });
    return () => subscription.unsubscribe();
  }

  /** Nest's way to send an event. `emit()` takes it where a subclass has overridden a step of it. */
  protected override dispatchEvent<T = unknown>(packet: ReadPacket): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.dispatch(packet.pattern, payloadOf(packet.data), optionsOfPacket(packet), (error) =>
        error === undefined ? resolve(undefined as T) : reject(error),
      );
    });
  }

  /** @internal The reactor to connect with; a seam for tests. */
  protected createReactor(options: ResolvedGevClientOptions, handler: ReactorHandler): ClientReactor {
    return new Reactor(reactorOptions(options), handler);
  }

  private request(
    subscriber: Subscriber<unknown>,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
  ): TeardownLogic {
    const call = new Call(this.calls, subscriber, pattern, data, options);
    if (!call.settled) this.pool().assign(call);
    return call;
  }

  private dispatch(
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
    settle: (error?: Error) => void,
  ): void {
    const route = this.normalizePattern(pattern as MsPattern);
    const event = new EventDispatch(this.setup, route, data, options, settle);
    if (!event.settled) this.pool().assign(event);
  }

  private observable<Value>(subscribe: (subscriber: Subscriber<Value>) => TeardownLogic): Observable<Value> {
    return new ContainedObservable(subscribe, 'A subscriber of a request or event', this.contained, true);
  }

  private isOverridden(...methods: readonly string[]): boolean {
    return overrides(this, GevClient.prototype, ...methods);
  }

  private readonly contained = (culprit: string, error: unknown): void =>
    this.report.contained(culprit, error);

  private pool(): Endpoints {
    return (this.endpoints ??= this.openPool());
  }

  private openPool(): Endpoints {
    return new Endpoints({
      options: this.options,
      clock: systemClock,
      hold: this.hold,
      report: this.report,
      createReactor: (handler) => this.createReactor(this.options, handler),
      onStatus: (status) => inFreshScope(() => this._status$.next(status)),
      openSession: (link) => new Session(link, this.calls),
    });
  }

  /** What has lost its connection before it was sent. A client that was closed meanwhile is not to begin anew for it. */
  private assignAgain(outgoing: Outgoing): void {
    if (this.endpoints === undefined) outgoing.fail(new GevClientClosedError());
    else this.endpoints.assign(outgoing);
  }

  /** What travels beside the data: of the record, and what a dispatch hook of Nest 12 adds. */
  private metadataOf({ pattern, data, options }: Outgoing): GevMetadata | undefined {
    const own = options?.metadata;
    if (this.onDispatchHook === undefined) return own;
    const { metadata } = this.createPacket(pattern, data);
    return metadata === undefined || own === undefined ? (metadata ?? own) : { ...metadata, ...own };
  }

  private expire(outgoing: Outgoing): void {
    try {
      outgoing.expire();
    } catch (error) {
      this.report.failure(error);
    }
  }
}

function payloadOf(data: unknown): unknown {
  return isRecord(data) ? data.data : data;
}

function optionsOf(data: unknown): GevRecordOptions | undefined {
  return isRecord(data) ? data.options : undefined;
}

/** Of a packet that Nest has made: what a dispatch hook has attached goes beside the record's own. */
function optionsOfPacket({ data, metadata }: ReadPacket): GevRecordOptions {
  const options = optionsOf(data);
  const attached = metadata;
  if (attached === undefined || options?.metadata === undefined) return { metadata: attached, ...options };
  return { ...options, metadata: { ...attached, ...options.metadata } };
}

function isNil(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
