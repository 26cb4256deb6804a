import { setTimeout as pause } from 'node:timers/promises';
import type { GevError } from '../../core/errors.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Reactor, ReactorHandler } from '../../core/reactor.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import { SHUTTING_DOWN } from '../../protocol/nest-json/vocabulary.js';
import type { Admission } from '../admission/admission.js';
import type { OverflowPolicy } from '../admission/overflow-gate.js';
import type { Turns } from '../admission/turns.js';
import type { WaitGroup } from '../admission/wait-group.js';
import type { ErrorReplies } from '../handlers/error-replies.js';
import type { StreamLimit } from '../rpc/rpc-stream.js';
import type { ConnectionAges } from './connection-ages.js';
import type { ConnectionHandler } from './connection-handlers.js';
import { ConnectionLifecycle, type ConnectionLifecycleSetup } from './connection-lifecycle.js';
import type { ConnectionProtocol } from './connection-protocol.js';
import type { ConnectionReports } from './connection-reports.js';
import { type ConnectionHost, ConnectionScope } from './connection-scope.js';

/** Those who are asked to go at once, and the pause before as many follow: they all come back somewhere. */
const LEAVING_AT_ONCE = 100;
const LEAVING_PAUSE_MS = 10;

/** What the handlers' side asks of the reactor. */
export type ConnectionGate = Pick<Reactor, 'admit' | 'finish' | 'refuse' | 'pause' | 'resume'>;

/** What {@link ConnectionEvents} needs to know. */
export interface ConnectionEventsSetup
  extends
    Omit<ConnectionHost, 'reactor' | 'streamLimit' | 'protocolOf' | 'expects'>,
    ConnectionLifecycleSetup {
  /** By the number of the listener that a connection came in at. */
  readonly protocols: readonly ConnectionProtocol[];
  /** Requests of all connections. */
  readonly admission: Admission;
  readonly errors: ErrorReplies;
  /** Undefined: connections last as long as they like. */
  readonly ages: ConnectionAges | undefined;
  readonly onError: (error: GevError) => void;
}

/**
 * Takes the reactor's events of connections to the decorated methods of controllers, and what those return back to the
 * connection. Of one connection, in order: `@OnConnect`, its messages, `@OnClose` once.
 */
export class ConnectionEvents implements ReactorHandler, ConnectionHost {
  readonly readsPackets = true;
  readonly messageHandlers: readonly ConnectionHandler[];
  readonly maxQueuedBytes: number;
  readonly overflow: OverflowPolicy;
  readonly work: WaitGroup;
  readonly turns: Turns;
  readonly reports: ConnectionReports;
  readonly protocols: readonly ConnectionProtocol[];
  readonly admission: Admission;
  readonly lifecycle: ConnectionLifecycle;
  streamLimit: StreamLimit | undefined;
  reactor!: ConnectionGate;
  private readonly scopes = new Set<ConnectionScope>();
  private leaving = false;

  constructor(private readonly setup: ConnectionEventsSetup) {
    this.messageHandlers = setup.messageHandlers;
    this.maxQueuedBytes = setup.maxQueuedBytes;
    this.overflow = setup.overflow;
    this.work = setup.work;
    this.turns = setup.turns;
    this.reports = setup.reports;
    this.protocols = setup.protocols;
    this.admission = setup.admission;
    this.lifecycle = new ConnectionLifecycle(setup);
  }

  /** Where connections come from. To be called before it listens. */
  attach(reactor: ConnectionGate): void {
    this.reactor = reactor;
    this.lifecycle.reactor = reactor;
  }

  /** Whether there are peers that can be asked to go. */
  get canAsk(): boolean {
    return this.protocols.some(({ observed }) => observed);
  }

  /** Handlers are wrapped in another way from now on: has every route looked up anew. */
  forgetRoutes(): void {
    for (const { rpc } of this.protocols) rpc?.forgetRoutes();
  }

  expects(error: unknown): boolean {
    return this.setup.errors.expects(error);
  }

  protocolOf(connection: ReactorConnection): ConnectionProtocol {
    return this.protocols[connection.listener!.index]!;
  }

  onOpen(connection: ReactorConnection<ConnectionScope>): void {
    const scope = new ConnectionScope(connection, this);
    connection.attachment = scope;
    this.scopes.add(scope);
    this.setup.ages?.watch(scope);
    this.lifecycle.open(scope);
    if (this.leaving) scope.leave('shutdown');
  }

  onMessage(connection: ReactorConnection<ConnectionScope>, data: Buffer): void {
    connection.attachment!.take(data);
  }

  onText(
    connection: ReactorConnection<ConnectionScope>,
    text: string,
    route: number,
    dataStart: number,
    idLength: number,
  ): void {
    connection.attachment!.takeText(text, route, dataStart, idLength);
  }

  onEnd(connection: ReactorConnection<ConnectionScope>): void {
    if (connection.mismatch !== undefined) connection.attachment!.farewell();
    connection.attachment!.end();
  }

  onClose(connection: ReactorConnection<ConnectionScope>): void {
    const scope = connection.attachment!;
    this.scopes.delete(scope);
    this.setup.ages?.forget(scope);
    scope.close();
    this.reports.end(connection);
    this.lifecycle.close(scope);
  }

  onError(error: GevError): void {
    this.reports.trouble(error);
    this.setup.onError(error);
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
    for (const scope of this.scopes) scope.stopReading();
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
}

/** Counters of what handlers do; undefined while there is none of it. */
export function handlerStatsOf(events: ConnectionEvents | undefined) {
  return {
    pending: (events?.work.count ?? 0) + (events?.admission.abandoned ?? 0),
    inFlight: events?.admission.inFlight ?? 0,
    overloaded: events?.admission.shed ?? 0,
    lateReplies: events?.reports.lateReplies ?? 0,
  };
}
