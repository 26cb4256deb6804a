import { type GevContext } from '../../context/gev.context.js';
import type { GevConnection } from '../../core/connection.js';
import type { GevCallEnd } from '../../core/errors.js';
import { CAPABILITIES, CAPABILITIES_LEAVING } from '../../protocol/nest-json/vocabulary.js';
import type { Admission } from '../admission/admission.js';
import type { ConnectionScope } from '../connections/connection-scope.js';
import type { NestHandler } from '../connections/event-handlers.js';
import { goAway, type GoAwayTarget } from '../connections/go-away.js';
import { OverflowGate } from '../admission/overflow-gate.js';
import { PacketLine, WaitingPacket } from './packet-line.js';
import { CallList, RpcCall, type StreamLimit } from './call.js';
import type { Route, RpcDispatcher } from './dispatcher.js';
import type { ReplyKind, ReplyTarget } from './replies.js';
import type { Turns } from '../admission/turns.js';
import type { LineOwner } from '../admission/waiting-line.js';

/** Of a client that has said FIN: what goes on for longer has no listener. */
const AFTER_END: StreamLimit = {
  ms: 1_000,
  error: { status: 'error', message: 'The client has closed its side' },
  end: 'lost',
};

/** What the RPC side keeps of one connection: its calls in flight, and the packets that wait for one of them to end. */
export class RpcConnection implements ReplyTarget, GoAwayTarget, LineOwner<WaitingPacket> {
  /** The routes of this connection's loop, by number; null: to be looked up by the pattern each time. */
  readonly routes: (Route | null)[];
  private readonly calls = new CallList();
  private readonly line: PacketLine;
  readonly turns: Turns;
  readonly admission: Admission;
  private ended = false; // by the peer's FIN
  private greeted = false; // by a gev:hello
  private told = false; // to go
  /** Places taken: by calls in flight, packets that are being made, and handlers of cancelled calls. */
  private taken = 0;
  private shedding = false;
  /** What requests are told now that the time for answers is over. */
  private expiry: unknown;

  constructor(
    private readonly dispatcher: RpcDispatcher,
    private readonly scope: ConnectionScope,
  ) {
    this.routes = dispatcher.routesOf(scope.connection.loop);
    this.turns = dispatcher.turns;
    this.admission = dispatcher.admission;
    this.line = new PacketLine(this, scope.events.maxQueuedBytes);
  }

  get connection(): GevConnection {
    return this.scope.connection;
  }

  /** The server is stopping and the time for answers is over: no handler begins any more. */
  get expired(): boolean {
    return this.expiry !== undefined;
  }

  /** A packet has come. Its parts are known where `route` is not 0. */
  receive(text: string, route: number, dataStart: number, idLength: number): void {
    if (this.line.length === 0 && this.hasRoom() && this.turns.mayStart()) {
      this.handle(text, route, dataStart, idLength);
    } else if (!this.dispatcher.handleAtOnce(this, text)) {
      this.scope.begin();
      this.line.push(new WaitingPacket(text, route, dataStart, idLength));
    }
  }

  /** Runs a request's handler and replies what it returns. `plainId`: its id is known to be such text. */
  call(handler: NestHandler, id: unknown, data: unknown, context: GevContext, plainId = false): void {
    if (this.mayRefuse && this.refuses(id)) return;
    const call = new RpcCall(this, id, context, plainId);
    this.calls.add(call);
    this.taken++;
    this.admission.begin();
    this.scope.begin();
    call.run(handler, data);
  }

  /** The client wants no more replies to that request. False: there is none such, and no more can be remembered. */
  cancel(id: unknown): boolean {
    const call = this.calls.find(id);
    call?.cancel();
    return call !== undefined || this.line.cancel(id);
  }

  /** The time for answers is over: requests in flight, and those that wait, are told so. */
  expire(error: unknown, end: GevCallEnd = 'shutdown'): void {
    this.expiry = error;
    this.calls.forEach((call) => call.expire(error, end));
    this.line.startAll();
  }

  /** Nothing more comes from the peer: what it waits for is still replied, but it no longer listens to a stream that goes on. */
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
    goAway(this, this.dispatcher.replies);
  }

  /** Whether the client knows that it is to hang up: it understands a go-away, and has been sent one. */
  get hangsUp(): boolean {
    return this.greeted && this.told;
  }

  /** The client asks what the server understands; so it understands all of that itself. */
  hello(id: unknown): boolean {
    this.greeted = true;
    if (!this.scope.asked) return this.reply(id, 'last', CAPABILITIES);
    const sent = this.reply(id, 'last', CAPABILITIES_LEAVING);
    this.onTold();
    return sent;
  }

  onTold(): void {
    this.told = true;
    this.scope.awaitQuiet();
  }

  onUntold(error: unknown): void {
    this.dispatcher.reportUntold(this.connection, error);
  }

  /** The connection has closed. */
  close(): void {
    this.line.drop();
    const end = this.connection.closeReason === 'shutdown' ? 'shutdown' : 'lost';
    this.calls.forEach((call) => call.cancel(end));
  }

  // --- for its calls ---

  get streamLimit(): StreamLimit | undefined {
    return this.ended ? AFTER_END : this.scope.events.streamLimit;
  }

  reply(id: unknown, kind: ReplyKind, value: unknown, plainId = false): boolean {
    return this.dispatcher.replies.send(this, id, kind, value, plainId);
  }

  failed(context: GevContext, error: unknown): void {
    this.dispatcher.reportFailure(this.connection, context.getPattern(), error);
  }

  reportTeardown(error: unknown): void {
    this.scope.reportTeardown(error);
  }

  reportUnsendable(id: unknown, error: unknown): void {
    this.dispatcher.reportUnsendable(this.connection, this.calls.find(id)?.pattern, error);
  }

  openGate(send: (value: unknown) => void): OverflowGate {
    return new OverflowGate(this.connection, this.dispatcher.overflow, send);
  }

  finish(call: RpcCall): void {
    this.calls.remove(call);
    this.taken--;
    this.admission.end();
    this.scope.complete();
    this.line.goOn();
  }

  /** A packet is being made of what was parsed; it takes the place of the call it may become. */
  prepare(made: Promise<void>): void {
    this.taken++;
    this.scope.begin();
    void made.then(() => {
      this.taken--;
      this.scope.complete();
      this.line.goOn();
    });
  }

  begin(): void {
    this.scope.begin();
  }

  complete(): void {
    this.scope.complete();
  }

  /** A call was cancelled, and its handler is still at work: it counts until {@link reclaim}. */
  abandon(): void {
    this.taken++;
    this.dispatcher.abandoned++;
  }

  reclaim(): void {
    this.taken--;
    this.dispatcher.abandoned--;
    this.line.goOn();
  }

  /** Answers the requests that wait with an error; events among them are handled. */
  shed(): void {
    this.shedding = true;
    try {
      this.line.startAll();
    } finally {
      this.shedding = false;
    }
  }

  // --- for the packets that wait ---

  get receives(): boolean {
    return this.connection.receives;
  }

  hasRoom(): boolean {
    return this.expired || (!this.connection.congested && this.hasPlace());
  }

  /** Fewer calls are in flight than may be. */
  hasPlace(): boolean {
    return this.taken < this.dispatcher.concurrency && !this.admission.full;
  }

  start({ text, route, dataStart, idLength }: WaitingPacket): void {
    try {
      this.handle(text, route, dataStart, idLength);
    } finally {
      this.line.forgetCancelled();
      this.scope.complete();
    }
  }

  onNoRoom(): void {
    this.line.seek();
  }

  onDropped(count: number): void {
    this.line.forgetCancelled();
    this.scope.complete(count);
  }

  pauseReading(): void {
    this.scope.pauseReading();
  }

  resumeReading(): void {
    this.scope.resumeReading();
  }

  /** A request may be one that is not to be handled. */
  private get mayRefuse(): boolean {
    return this.expired || this.shedding || this.scope.closed || this.line.holdsCancelled;
  }

  private refuses(id: unknown): boolean {
    // Whoever sent it may send it again.
    if (this.expired) this.reply(id, 'refused', { ...(this.expiry as object), retryable: true });
    else if (this.scope.closed || this.line.takeCancelled(id)) return true;
    else if (this.shedding) this.dispatcher.overloaded(this, id);
    else return false;
    return true;
  }

  private handle(text: string, route: number, dataStart: number, idLength: number): void {
    if (route === 0 || !this.dispatcher.handleScanned(this, text, route, dataStart, idLength)) {
      this.dispatcher.handle(this, text);
    }
  }
}
