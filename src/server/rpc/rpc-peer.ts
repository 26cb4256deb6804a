import type { GevContext } from '../../context/gev.context.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { GevCallEnd } from '../../core/errors.js';
import type { ReplyKind } from '../../protocol/nest-json/reply-writer.js';
import { CAPABILITIES, CAPABILITIES_LEAVING, OVERLOADED } from '../../protocol/nest-json/vocabulary.js';
import type { Admission } from '../admission/admission.js';
import { OverflowGate, type OverflowPolicy } from '../admission/overflow-gate.js';
import type { NestHandler } from '../handlers/nest-handler.js';
import { CallList } from './call-list.js';
import { goAway, type GoAwayTarget } from './go-away.js';
import type { Replies, ReplyTarget } from './replies.js';
import { type CallOwner, RpcCall } from './rpc-call.js';
import type { RpcReports } from './rpc-reports.js';
import type { StreamLimit } from './rpc-stream.js';

/** What the RPC side needs of a connection. */
export interface RpcScope {
  readonly connection: ReactorConnection;
  readonly closed: boolean;
  /** The peer is asked to go. */
  readonly asked: boolean;
  /** What streams that begin from now on are allowed; undefined: to go on without end. */
  readonly streamLimit: StreamLimit | undefined;
  /** Something is owed to the peer until {@link complete}. */
  begin(): void;
  complete(count?: number): void;
  /** How long the peer may be quiet counts from now on. */
  awaitQuiet(): void;
  reportTeardown(error: unknown): void;
}

/** The packets of a client that wait for one of its calls to end. */
interface WaitingPackets {
  readonly length: number;
  goOn(): void;
}

/** What the clients of a server share. */
export interface RpcPeerSetup {
  readonly replies: Replies;
  readonly overflow: OverflowPolicy;
  /** Requests of one connection in flight at a time. */
  readonly concurrency: number;
  readonly admission: Admission;
  readonly reports: RpcReports;
}

/** Of a client that has said FIN: what goes on for longer has no listener. */
const AFTER_END: StreamLimit = {
  ms: 1_000,
  error: { status: 'error', message: 'The client has closed its side' },
  end: 'lost',
};

/** How many cancellations of requests that wait are remembered. */
const MAX_CANCELLED = 1024;

/** The client at the other end of a connection: its calls in flight, what it knows of us, and what it is told. */
export class RpcPeer implements CallOwner, ReplyTarget, GoAwayTarget {
  /** Requests that come up are answered with {@link OVERLOADED}. */
  shedding = false;
  private readonly calls = new CallList();
  /** Ids of requests that wait and that the client has cancelled. */
  private readonly cancelled = new Set<unknown>();
  /** Places taken: by calls in flight, packets that are being made, and handlers of cancelled calls. */
  private taken = 0;
  private ended = false; // by the peer's FIN
  private greeted = false; // by a gev:hello
  private told = false; // to go
  /** What requests are told now that the time for answers is over. */
  private expiry: unknown;

  constructor(
    private readonly scope: RpcScope,
    private readonly waiting: WaitingPackets,
    private readonly setup: RpcPeerSetup,
  ) {}

  get connection(): ReactorConnection {
    return this.scope.connection;
  }

  /** Fewer calls are in flight than may be. */
  hasPlace(): boolean {
    return this.taken < this.setup.concurrency && !this.setup.admission.full;
  }

  /** The server is stopping and the time for answers is over: no handler begins any more. */
  get expired(): boolean {
    return this.expiry !== undefined;
  }

  // --- what the client asks for ---

  /** Runs a request's handler and replies what it returns. `plainId`: its id is known to be such text. */
  call(handler: NestHandler, id: unknown, data: unknown, context: GevContext, plainId = false): void {
    if (this.mayRefuse && this.refuses(id)) return;
    const call = new RpcCall(this, id, context, plainId);
    this.calls.add(call);
    this.taken++;
    this.setup.admission.begin();
    this.scope.begin();
    call.run(handler, data);
  }

  /** The client wants no more replies to that request. False: there is none such, and no more can be remembered. */
  cancel(id: unknown): boolean {
    const call = this.calls.find(id);
    call?.cancel();
    if (call !== undefined || this.waiting.length === 0) return true;
    if (this.cancelled.size === MAX_CANCELLED) return false;
    this.cancelled.add(id);
    return true;
  }

  /** The client asks what the server understands; so it understands all of that itself. */
  hello(id: unknown): boolean {
    this.greeted = true;
    if (!this.scope.asked) return this.reply(id, 'last', CAPABILITIES);
    const sent = this.reply(id, 'last', CAPABILITIES_LEAVING);
    this.onTold();
    return sent;
  }

  /** A packet is being made of what was parsed; it takes the place of the call it may become. */
  prepare(made: Promise<void>): void {
    this.taken++;
    this.scope.begin();
    void made.then(() => this.leave());
  }

  // --- what happens to its connection ---

  /** Those who were cancelled have left with the others that waited. */
  forgetCancelled(): void {
    if (this.waiting.length === 0) this.cancelled.clear();
  }

  /** The time for answers is over: requests in flight are told so, and those that come up from now on. */
  expire(error: unknown, end: GevCallEnd): void {
    this.expiry = error;
    this.calls.forEach((call) => call.expire(error, end));
  }

  /** Nothing more comes from the client: what it waits for is still replied, but it no longer listens to a stream that goes on. */
  end(): void {
    this.ended = true;
    // One that says FIN in the midst of a stream is going away: Nest's clients close like that.
    this.calls.forEach((call) => call.endStream(AFTER_END));
  }

  /** Ends streams in the midst of them that have no time limit of their own. */
  endOldStreams(limit: StreamLimit): void {
    this.calls.forEach((call) => call.endOldStream(limit));
  }

  /** Asks the client to send nothing more, and to hang up with its last reply. */
  goAway(): void {
    goAway(this, this.setup.replies);
  }

  /** Whether the client knows that it is to hang up: it understands a go-away, and has been sent one. */
  get hangsUp(): boolean {
    return this.greeted && this.told;
  }

  /** The connection has closed. */
  close(): void {
    const end = this.connection.closeReason === 'shutdown' ? 'shutdown' : 'lost';
    this.calls.forEach((call) => call.cancel(end));
  }

  // --- for its calls, and what is sent to it ---

  get streamLimit(): StreamLimit | undefined {
    return this.ended ? AFTER_END : this.scope.streamLimit;
  }

  reply(id: unknown, kind: ReplyKind, value: unknown, plainId = false): boolean {
    return this.setup.replies.send(this, id, kind, value, plainId);
  }

  begin(): void {
    this.scope.begin();
  }

  complete(): void {
    this.scope.complete();
  }

  finish(call: RpcCall): void {
    this.calls.remove(call);
    this.taken--;
    this.setup.admission.end();
    this.scope.complete();
    this.waiting.goOn();
  }

  abandon(): void {
    this.taken++;
    this.setup.admission.abandoned++;
  }

  reclaim(): void {
    this.taken--;
    this.setup.admission.abandoned--;
    this.waiting.goOn();
  }

  openGate(send: (value: unknown) => void): OverflowGate {
    return new OverflowGate(this.connection, this.setup.overflow, send);
  }

  onTold(): void {
    this.told = true;
    this.scope.awaitQuiet();
  }

  onUntold(error: unknown): void {
    this.setup.reports.untold(this.connection, error);
  }

  failed(context: GevContext, error: unknown): void {
    this.setup.reports.failure(this.connection, context.getPattern(), error);
  }

  reportTeardown(error: unknown): void {
    this.scope.reportTeardown(error);
  }

  reportUnsendable(id: unknown, error: unknown): void {
    this.setup.reports.unsendable(this.connection, this.calls.find(id)?.pattern, error);
  }

  private leave(): void {
    this.taken--;
    this.scope.complete();
    this.waiting.goOn();
  }

  /** A request may be one that is not to be handled. */
  private get mayRefuse(): boolean {
    return this.expired || this.shedding || this.scope.closed || this.cancelled.size > 0;
  }

  private refuses(id: unknown): boolean {
    // Whoever sent it may send it again.
    if (this.expired) this.reply(id, 'refused', { ...(this.expiry as object), retryable: true });
    else if (this.scope.closed || this.cancelled.delete(id)) return true;
    else if (this.shedding) this.shed(id);
    else return false;
    return true;
  }

  private shed(id: unknown): void {
    this.setup.admission.shed++;
    this.setup.reports.overloaded(this.connection);
    this.reply(id, 'refused', OVERLOADED);
  }
}
