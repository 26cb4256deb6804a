import { take, type Subscription } from 'rxjs';
import { type GevContext } from '../context/gev.context.js';
import type { GevConnection } from '../core/connection.js';
import { inFreshScope } from '../native/fresh-scope.js';
import type { PlaceSeeker } from './admission.js';
import type { ConnectionScope } from './connection-scope.js';
import type { NestHandler } from './event-handlers.js';
import { MessageQueue } from './message-queue.js';
import { OverflowGate } from './overflow-gate.js';
import { CallList, RpcCall, type StreamLimit } from './rpc-call.js';
import type { Route, RpcDispatcher } from './rpc-dispatcher.js';
import type { ReplyKind, ReplyTarget } from './rpc-replies.js';

/** How many cancellations of requests that wait are remembered. */
const MAX_CANCELLED = 1024;

/** Of a client that has said FIN: what goes on for longer has no listener. */
const AFTER_END: StreamLimit = {
  ms: 1_000,
  error: { status: 'error', message: 'The client has closed its side' },
};

/** A packet that waits, and its parts as far as they are known. */
class WaitingPacket {
  constructor(
    readonly text: string,
    readonly route: number,
    readonly dataStart: number,
    readonly idLength: number,
  ) {}

  get length(): number {
    return this.text.length;
  }
}

/** What the RPC side keeps of one connection: its calls in flight, and the packets that wait for one of them to end. */
export class RpcConnection implements ReplyTarget, PlaceSeeker {
  /** The routes of this connection's loop, by number; null: to be looked up by the pattern each time. */
  readonly routes: (Route | null)[];
  private readonly calls = new CallList();
  /** Packets that came while as many calls were in flight as may be, or output was above the high-water mark. */
  private readonly waiting: MessageQueue<WaitingPacket>;
  /** Ids of requests among them that the client has cancelled meanwhile. */
  private readonly cancelled = new Set<unknown>();
  private ended = false; // by the peer's FIN
  private preparing = 0;
  private abandoned = 0;
  private relief: Subscription | undefined;
  private paused = false;
  private starting = false;
  private shedding = false;
  /** What requests are told now that the time for answers is over. */
  private expiry: unknown;

  constructor(
    private readonly dispatcher: RpcDispatcher,
    private readonly scope: ConnectionScope,
  ) {
    this.routes = dispatcher.routesOf(scope.connection.loop);
    this.waiting = new MessageQueue(scope.events.maxQueuedBytes);
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
    if (this.waiting.length > 0 || !this.hasRoom() || !this.dispatcher.turns.mayStart()) {
      if (!this.dispatcher.cancelAtOnce(this, text))
        this.enqueue(new WaitingPacket(text, route, dataStart, idLength));
    } else this.handle(text, route, dataStart, idLength);
  }

  /** Runs a request's handler and replies what it returns. */
  call(handler: NestHandler, id: unknown, data: unknown, context: GevContext): void {
    if (this.expired) {
      this.reply(id, 'error', this.expiry);
      return;
    }
    if (this.scope.closed || (this.cancelled.size > 0 && this.cancelled.delete(id))) return;
    if (this.shedding) {
      this.dispatcher.overloaded(this, id);
      return;
    }
    const call = new RpcCall(this, id, context);
    this.calls.add(call);
    this.dispatcher.admission.begin();
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

  /** The time for answers is over: requests in flight, and those that wait, are told so. */
  expire(error: unknown): void {
    this.expiry = error;
    this.calls.forEach((call) => call.expire(error));
    while (this.mayStartNext()) this.startNext();
  }

  /** Nothing more comes from the peer: what it waits for is still replied, but it no longer listens to a stream that goes on. */
  end(): void {
    this.ended = true;
    // One that says FIN in the midst of a stream is going away: Nest's clients close like that.
    this.endStreams(AFTER_END.error);
  }

  /** Ends streams in the midst of them. */
  endStreams(error: unknown): void {
    this.calls.forEach((call) => call.endStream(error));
  }

  /** Asks the client to send nothing more, and to hang up with its last reply. */
  goAway(): void {
    this.dispatcher.replies.goAway(this);
  }

  /** The connection has closed. */
  close(): void {
    this.dropWaiting();
    this.calls.forEach((call) => call.cancel());
  }

  // --- for its calls ---

  get streamLimit(): StreamLimit | undefined {
    return this.ended ? AFTER_END : this.scope.events.streamLimit;
  }

  reply(id: unknown, kind: ReplyKind, value: unknown): boolean {
    return this.dispatcher.replies.send(this, id, kind, value);
  }

  failed(context: GevContext, error: unknown): void {
    this.dispatcher.reportFailure(this.connection, context.getPattern(), error);
  }

  reportTeardown(error: unknown): void {
    this.scope.reportTeardown(error);
  }

  openGate(send: (value: unknown) => void): OverflowGate {
    return new OverflowGate(this.connection, this.dispatcher.overflow, send);
  }

  finish(call: RpcCall): void {
    this.calls.remove(call);
    this.dispatcher.admission.end();
    this.scope.complete();
    if (this.waiting.length > 0) this.goOn();
  }

  /** A packet is being made of what was parsed; it takes the place of the call it may become. */
  prepare(made: Promise<void>): void {
    this.preparing++;
    this.scope.begin();
    void made.then(() => {
      this.preparing--;
      this.scope.complete();
      if (this.waiting.length > 0) this.goOn();
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
    this.abandoned++;
    this.dispatcher.abandoned++;
  }

  reclaim(): void {
    this.abandoned--;
    this.dispatcher.abandoned--;
    if (this.waiting.length > 0) this.goOn();
  }

  /** Packets wait, and not for the peer to read. */
  get seeking(): boolean {
    return this.waiting.length > 0 && !this.hasPlace();
  }

  /** Answers the requests that wait with an error; events among them are handled. */
  shed(): void {
    this.shedding = true;
    while (this.waiting.length > 0) this.startNext();
    this.shedding = false;
  }

  private hasRoom(): boolean {
    return !this.connection.congested && this.hasPlace();
  }

  private hasPlace(): boolean {
    const { concurrency, admission } = this.dispatcher;
    return this.calls.length + this.preparing + this.abandoned < concurrency && !admission.full;
  }

  private handle(text: string, route: number, dataStart: number, idLength: number): void {
    if (route === 0 || !this.dispatcher.handleScanned(this, text, route, dataStart, idLength)) {
      this.dispatcher.handle(this, text);
    }
  }

  private enqueue(packet: WaitingPacket): void {
    this.waiting.push(packet);
    this.scope.begin();
    if (this.hasRoom()) this.dispatcher.turns.join(this);
    else this.awaitRoom();
    if (this.paused || !this.waiting.full) return;
    this.paused = true;
    this.scope.pauseReading();
  }

  /** Something that made packets wait has ended. */
  private goOn(): void {
    if (this.starting) return; // a handler has answered at once: whoever started it goes on
    const { turns } = this.dispatcher;
    while (this.mayStartNext() && turns.idle && turns.mayStart()) this.startNext();
    if (this.mayStartNext()) turns.join(this);
    else this.awaitRoom();
  }

  takeTurn(): boolean {
    if (this.mayStartNext()) this.startNext();
    const more = this.mayStartNext();
    if (!more) {
      this.awaitRoom();
      this.dispatcher.admission.offer(); // it may have had its turn for a place that it did not need
    }
    return more;
  }

  private mayStartNext(): boolean {
    return this.waiting.length > 0 && (this.expired || this.hasRoom());
  }

  private startNext(): void {
    this.starting = true;
    if (!this.connection.receives) this.dropWaiting();
    else {
      const { text, route, dataStart, idLength } = this.waiting.shift();
      // Not in the context of the call that has made room.
      inFreshScope(() => this.handle(text, route, dataStart, idLength));
      this.scope.complete();
    }
    this.starting = false;
    if (this.waiting.length === 0) this.cancelled.clear();
    if (!this.paused || !this.waiting.low) return;
    this.paused = false;
    this.scope.resumeReading();
  }

  private awaitRoom(): void {
    if (this.seeking) this.dispatcher.admission.seek(this);
    this.awaitRelief();
  }

  /** Replies to packets that wait would only add to output that the peer has yet to read. */
  private awaitRelief(): void {
    if (this.waiting.length === 0 || this.relief !== undefined || !this.connection.congested) return;
    this.relief = this.connection.drain$.pipe(take(1)).subscribe(() => {
      this.relief = undefined;
      this.goOn();
    });
  }

  private dropWaiting(): void {
    const dropped = this.waiting.length;
    this.waiting.clear();
    if (dropped > 0) this.scope.complete(dropped);
  }
}
