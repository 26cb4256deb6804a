import { setTimeout as pause } from 'node:timers/promises';
import { lastValueFrom, type Observable } from 'rxjs';
import { MessageContext } from '../../context/gev.context.js';
import type { CloseReason } from '../../core/close-reason.js';
import { type GevConnection, nameOf } from '../../core/connection.js';
import { codeOf, type GevError, GevHandlerError } from '../../core/errors.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Reactor, ReactorHandler } from '../../core/reactor.js';
import { typeName } from '../../core/values.js';
import { within } from '../../core/within.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import { SHUTTING_DOWN } from '../../protocol/nest-json/vocabulary.js';
import type { ConnectionAges } from './connection-ages.js';
import { ConnectionScope } from './connection-scope.js';
import type { ErrorLog } from '../../core/error-log.js';
import type { EventHandler } from './event-handlers.js';
import { patternOf } from '../handler-marker.js';
import { isStream } from '../handler-result.js';
import { isLoggedByNest } from '../rpc/nest-errors.js';
import type { OverflowPolicy } from '../admission/overflow-gate.js';
import { ReplyStream } from './reply-stream.js';
import type { StreamLimit } from '../rpc/call.js';
import type { RpcDispatcher } from '../rpc/dispatcher.js';
import { Tally } from '../admission/tally.js';
import { Turns } from '../admission/turns.js';

/** Those who are asked to go at once, and the pause before as many follow: they all come back somewhere. */
const LEAVING_AT_ONCE = 100;
const LEAVING_PAUSE_MS = 10;

/** What the handlers' side asks of the reactor. */
export type ConnectionGate = Pick<Reactor, 'admit' | 'finish' | 'refuse' | 'pause' | 'resume'>;

/** What {@link ConnectionEvents} needs to know. */
export interface ConnectionEventsSetup {
  readonly connectHandlers: readonly EventHandler[];
  readonly messageHandlers: readonly EventHandler[];
  readonly closeHandlers: readonly EventHandler[];
  /** Messages of one connection handled at a time. */
  readonly concurrency: number;
  /** Messages are views of the reactor's memory. */
  readonly borrowed: boolean;
  /** Bytes of waiting messages above which reading from a connection pauses. */
  readonly maxQueuedBytes: number;
  /** How long `@OnClose` handlers wait for `@OnConnect` handlers of the same connection. */
  readonly closeTimeout: number;
  /** Within which `@OnConnect` handlers must settle; for a log line. */
  readonly handshakeTimeout: number;
  /** Takes packets, where the codec carries them. */
  readonly createRpc: ((events: ConnectionEvents) => RpcDispatcher) | undefined;
  /** Undefined: connections last as long as they like. */
  readonly ages: ConnectionAges | undefined;
  readonly overflow: OverflowPolicy;
  /** Where packets are carried: a handler has returned what is not sent. Told once each. */
  readonly onUnsent: (handler: string) => void;
  readonly log: ErrorLog;
  /** A connection has been accepted, and no message of it was handled yet. */
  readonly onConnection: (connection: GevConnection) => void;
  readonly onError: (error: GevError) => void;
}

/**
 * Takes the reactor's events of connections to the decorated methods of controllers, and what those return back to the
 * connection. Of one connection, in order: `@OnConnect`, its messages, `@OnClose` once.
 */
export class ConnectionEvents implements ReactorHandler {
  /** Set before the reactor listens. */
  reactor!: ConnectionGate;
  /** Connect and message handlers that are at work, and messages that wait for one. */
  readonly work = new Tally();
  /** Who starts handlers, and when. */
  readonly turns = new Turns((error) => this.reportUncaught(error));
  /** Connections whose `@OnClose` handlers are at work. */
  readonly closing = new Tally();
  readonly messageHandlers: readonly EventHandler[];
  readonly concurrency: number;
  readonly maxQueuedBytes: number;
  readonly borrowed: boolean;
  readonly overflow: OverflowPolicy;
  readonly rpc: RpcDispatcher | undefined;
  /** What streams that begin from now on are allowed; undefined: to go on without end. */
  streamLimit: StreamLimit | undefined;
  private readonly scopes = new Set<ConnectionScope>();
  /** Handlers that have returned what is not sent. */
  private readonly unsent = new Set<EventHandler>();
  private leaving = false;
  private lost = 0;

  constructor(private readonly setup: ConnectionEventsSetup) {
    this.messageHandlers = setup.messageHandlers;
    this.concurrency = setup.concurrency;
    this.maxQueuedBytes = setup.maxQueuedBytes;
    this.borrowed = setup.borrowed;
    this.overflow = setup.overflow;
    this.rpc = setup.createRpc?.(this);
  }

  get hasConnectHandlers(): boolean {
    return this.setup.connectHandlers.length > 0;
  }

  /** Replies that came after their connection had closed. */
  get lateReplies(): number {
    return this.lost;
  }

  onOpen(connection: ReactorConnection<ConnectionScope>): void {
    const scope = new ConnectionScope(connection, this);
    connection.attachment = scope;
    this.scopes.add(scope);
    this.setup.ages?.watch(scope);
    if (!this.hasConnectHandlers) this.setup.onConnection(connection);
    else scope.connecting = this.connect(scope);
    if (this.leaving) scope.leave('shutdown');
  }

  onMessage(connection: ReactorConnection<ConnectionScope>, data: Buffer): void {
    connection.attachment!.receive(data);
  }

  onText(
    connection: ReactorConnection<ConnectionScope>,
    text: string,
    route: number,
    dataStart: number,
    idLength: number,
  ): void {
    const scope = connection.attachment!;
    if (this.messageHandlers.length > 0) scope.receive(Buffer.from(text));
    scope.rpc?.receive(text, route, dataStart, idLength);
  }

  onEnd(connection: ReactorConnection<ConnectionScope>): void {
    connection.attachment!.end();
  }

  onClose(connection: ReactorConnection<ConnectionScope>): void {
    const scope = connection.attachment!;
    this.scopes.delete(scope);
    this.setup.ages?.forget(scope);
    scope.close();
    this.reportEnd(connection);
    if (this.setup.closeHandlers.length > 0) void this.disconnect(scope);
  }

  /**
   * Asks every peer to go, and those that come later. Many are told a part at a time.
   *
   * @param spread in ms; how long that may take
   */
  async leave(spread: number): Promise<void> {
    this.leaving = true;
    const scopes = [...this.scopes];
    const parts = Math.max(Math.floor(spread / LEAVING_PAUSE_MS), 1);
    const size = Math.max(LEAVING_AT_ONCE, Math.ceil(scopes.length / parts));
    for (let start = 0; start < scopes.length; start += size) {
      if (start > 0) await pause(LEAVING_PAUSE_MS);
      for (const scope of scopes.slice(start, start + size)) scope.leave('shutdown');
    }
  }

  /** Peers that go on sending hear FIN as soon as they are owed nothing, quiet or not. */
  finishSoon(): void {
    for (const scope of this.scopes) scope.finishSoon();
  }

  /** What peers send from now on is not taken. */
  stopReading(): void {
    for (const scope of this.scopes) scope.pauseReading();
  }

  /** Streams end that have gone on for `ms` from now on, or from their first value on if that comes later. */
  limitStreams(ms: number): () => void {
    const limit: StreamLimit = { ms, error: SHUTTING_DOWN, end: 'shutdown' };
    this.streamLimit = limit;
    const timer = setTimeout(() => {
      for (const scope of this.scopes) inFreshScope(() => scope.endOldStreams(limit));
    }, ms);
    return () => clearTimeout(timer);
  }

  /** The time for answers is over: requests still in flight are answered with an error. */
  expire(): void {
    // Serializers and the teardown of streams are not to see who stops the server.
    for (const { rpc } of this.scopes) {
      inFreshScope(() => rpc?.expire(SHUTTING_DOWN));
    }
  }

  onError(error: GevError): void {
    const kind = error instanceof GevHandlerError ? error.culprit : error.code;
    this.setup.log.report(kind, 'error', error.message, error.cause);
    this.setup.onError(error);
  }

  /** Something has thrown between messages, where nobody is to be answered. */
  private reportUncaught(error: unknown): void {
    this.setup.log.report('turns', 'error', 'Starting the handler of a message that waited failed', error);
  }

  /** A handler failed. */
  reportFailure(connection: GevConnection, handler: EventHandler, error: unknown): void {
    if (isLoggedByNest(error)) return;
    this.setup.log.report(handler.label, 'error', `${handler.label} failed on ${nameOf(connection)}`, error);
  }

  reportTeardown(connection: GevConnection, error: unknown): void {
    const message = `The teardown of an Observable failed on ${nameOf(connection)}`;
    this.setup.log.report('teardown', 'error', message, error);
  }

  /** Why a connection was cut, where nobody has told yet. */
  private reportEnd(connection: GevConnection): void {
    const { closeReason, closeError } = connection;
    if (closeReason === 'handshake') this.reportHandshake(connection);
    if (closeReason !== 'backpressure' && closeReason !== 'protocol') return;
    if (closeError === undefined) return;
    this.setup.log.report(closeReason, 'warn', `${nameOf(connection)} is closed`, closeError);
  }

  private reportHandshake(connection: GevConnection): void {
    const { log, handshakeTimeout } = this.setup;
    const what = `@OnConnect handlers did not settle within handshakeTimeout (${handshakeTimeout} ms)`;
    log.report('handshake', 'warn', `${nameOf(connection)} is closed: ${what}`);
  }

  /** On a server that speaks RPC what connection handlers return is no reply, and would break the clients of others. */
  dropReply(handler: EventHandler): void {
    if (this.unsent.has(handler)) return;
    this.unsent.add(handler);
    this.setup.onUnsent(handler.label);
  }

  reportUnsendable(connection: GevConnection, handler: EventHandler, value: unknown): void {
    const error = new GevHandlerError(
      `a ${typeName(value)} cannot be sent: return a Buffer, Uint8Array or string, or a promise or Observable of one`,
    );
    this.reportFailure(connection, handler, error);
  }

  reportUnsent(connection: GevConnection, handler: EventHandler, error: unknown): void {
    if (!this.countLate(error)) this.reportFailure(connection, handler, error);
  }

  /** A reply that came after its connection had closed is nobody's fault. True if it was one. */
  countLate(error: unknown): boolean {
    const late = codeOf(error) === 'ERR_GEV_CONNECTION_CLOSED';
    if (late) this.lost++;
    return late;
  }

  /** Called by a connect handler that failed: the connection is not taken, or not kept. */
  refuse(connection: GevConnection, handler: EventHandler, error: unknown): void {
    if (!isLoggedByNest(error)) {
      this.setup.log.report(handler.label, 'warn', `${handler.label} refused ${nameOf(connection)}`, error);
    }
    this.reactor.refuse(connection);
  }

  private async connect(scope: ConnectionScope): Promise<void> {
    const { connection } = scope;
    scope.gate();
    await Promise.all(
      this.setup.connectHandlers.map((handler) => inFreshScope(() => this.runConnect(scope, handler))),
    );
    if (scope.closed || connection.state !== 'connecting') return;
    this.setup.onConnection(connection);
    this.reactor.admit(connection);
    scope.openGate();
  }

  private async runConnect(scope: ConnectionScope, handler: EventHandler): Promise<void> {
    const context = new MessageContext([scope.connection, patternOf('connect')]);
    this.work.up(1);
    try {
      const result = await handler.call(scope.connection, context);
      if (isStream(result)) await new ConnectStream(scope, handler).run(result);
      else scope.reply(result, handler);
    } catch (error) {
      this.refuse(scope.connection, handler, error);
    } finally {
      this.work.down(1);
    }
  }

  private async disconnect(scope: ConnectionScope): Promise<void> {
    const { connection } = scope;
    this.closing.up(1);
    // What a connect handler has set up must be there before a close handler takes it down.
    if (scope.connecting !== undefined) await within(scope.connecting, this.setup.closeTimeout);
    const reason = connection.closeReason ?? 'error';
    await Promise.all(
      this.setup.closeHandlers.map((handler) =>
        inFreshScope(() => this.runClose(connection, reason, handler)),
      ),
    );
    this.closing.down(1);
  }

  private async runClose(
    connection: GevConnection,
    reason: CloseReason,
    handler: EventHandler,
  ): Promise<void> {
    const context = new MessageContext([connection, patternOf('close'), undefined, reason]);
    try {
      const result = await handler.call(reason, context);
      if (isStream(result)) await lastValueFrom(result, { defaultValue: undefined });
    } catch (error) {
      this.reportFailure(connection, handler, error);
    }
  }
}

/** An Observable from `@OnConnect`: a push to this connection that may go on for ever. */
class ConnectStream extends ReplyStream {
  private resolve!: () => void;

  /** Settles, never rejects, when the connection may be admitted as far as this handler goes. */
  run(source: Observable<unknown>): Promise<void> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      this.start(source);
    });
  }

  protected override settled(): void {
    this.resolve();
  }

  protected override failed(error: unknown): void {
    this.scope.events.refuse(this.scope.connection, this.handler, error);
  }

  protected override ended(): void {}
}
