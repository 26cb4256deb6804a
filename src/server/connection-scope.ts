import { GevContext, type GevContextArgs } from '../context/gev.context.js';
import type { CloseReason } from '../core/close-reason.js';
import type { GevConnection } from '../core/connection.js';
import { inFreshScope } from '../native/fresh-scope.js';
import type { ConnectionEvents } from './connection-events.js';
import type { EventHandler } from './event-handlers.js';
import { patternOf } from './handler-marker.js';
import { isData } from './handler-result.js';
import { MessageLane } from './message-lane.js';
import { MessageQueue } from './message-queue.js';
import type { ReplyStream } from './reply-stream.js';
import { RpcConnection } from './rpc-connection.js';
import type { TurnTaker } from './turns.js';

/** Why a server asks a peer to go. */
export type LeaveReason = Extract<CloseReason, 'shutdown' | 'age'>;

/** How long nothing must have come from a peer that was asked to go, and is owed nothing, before it hears FIN. */
const QUIET_MS = 500;

/**
 * What the server keeps of one connection beside the connection itself: the messages that wait, the handlers at work and
 * the Observables subscribed. A message holds one lane for each `@OnMessage` handler.
 *
 * The counts: `active` lanes are held by messages; `connection.pendingReplies` lanes still owe a reply, those of waiting
 * messages and of Observables that go on included.
 */
export class ConnectionScope implements TurnTaker {
  /** Settles, never rejects, when all `@OnConnect` handlers have; undefined where there are none. */
  connecting: Promise<void> | undefined;
  closed = false;
  /** The RPC side of this connection, where the codec carries packets. */
  readonly rpc: RpcConnection | undefined;

  private readonly lanes: readonly MessageLane[];
  private readonly contextArgs: GevContextArgs;
  private readonly queue: MessageQueue<Buffer>;
  private streams: Set<ReplyStream> | undefined;
  private active = 0;
  private gated = false;
  private leavesFor: LeaveReason | undefined;
  private asked = false; // to go
  private ended = false;
  private paused = false;
  private pauses = 0;
  private starting = false;

  constructor(
    readonly connection: GevConnection,
    readonly events: ConnectionEvents,
  ) {
    this.queue = new MessageQueue(events.maxQueuedBytes);
    this.lanes = events.messageHandlers.map((handler) => new MessageLane(this, handler));
    this.contextArgs = [connection, patternOf('message')];
    this.rpc = events.rpc === undefined ? undefined : new RpcConnection(events.rpc, this);
  }

  /** For one call of a message handler. */
  context(): GevContext {
    return new GevContext(this.contextArgs);
  }

  /** A message has come. */
  receive(message: Buffer): void {
    const count = this.lanes.length;
    if (count === 0 || this.closed) return;
    this.connection.pendingReplies += count;
    this.events.work.up(count);
    if (this.queue.length === 0 && this.hasRoom() && this.events.turns.mayStart()) this.start(message);
    else this.enqueue(message);
  }

  /** A handler has settled and lets the next message pass. */
  release(): void {
    this.active--;
    if (this.queue.length > 0) this.goOn();
  }

  /** A handler has begun that owes a reply; {@link complete} is its end. */
  begin(): void {
    this.owe(1);
  }

  /** Stops reading until as many calls of {@link resumeReading} have been made. */
  pauseReading(): void {
    if (this.pauses++ === 0) this.events.reactor.pause(this.connection);
  }

  resumeReading(): void {
    if (--this.pauses === 0 && !this.closed) this.events.reactor.resume(this.connection);
  }

  /** Nothing more will be written for one handler's message, or for so many. */
  complete(count = 1): void {
    this.owe(-count);
    this.finishWhenDone();
  }

  /** Sends what a handler returned. Nobody is left to receive it once the connection has closed. */
  reply(value: unknown, handler: EventHandler): void {
    if (value === undefined || value === null) return;
    try {
      if (isData(value)) this.connection.send(value);
      else this.events.reportUnsendable(this.connection, handler, value);
    } catch (error) {
      this.events.reportUnsent(this.connection, handler, error);
    }
  }

  /** Stops the stream when the connection closes, if it has not ended before. */
  hold(stream: ReplyStream): void {
    if (this.closed) stream.stop();
    else (this.streams ??= new Set()).add(stream);
  }

  letGo(stream: ReplyStream): void {
    this.streams?.delete(stream);
  }

  /** Asks the peer to go, when it has been admitted; goes on serving it meanwhile. */
  leave(reason: LeaveReason): void {
    if (this.asked || this.closed) return;
    this.leavesFor = reason;
    if (this.gated) return;
    this.asked = true;
    this.rpc?.goAway();
    this.connection.leave(reason, QUIET_MS);
  }

  /** Ends what goes on without end; `error` is for clients of RPC. */
  endStreams(error: unknown): void {
    this.rpc?.endStreams(error);
    for (const stream of [...(this.streams ?? [])]) inFreshScope(() => stream.end());
  }

  /** `@OnConnect` handlers are at work: the connection is not to be finished under them. */
  gate(): void {
    this.gated = true;
  }

  openGate(): void {
    this.gated = false;
    if (this.leavesFor !== undefined) this.leave(this.leavesFor);
    this.finishWhenDone();
  }

  /** Nothing more comes, as the peer has sent FIN or nonsense: the connection ends with the last reply. */
  end(): void {
    this.ended = true;
    this.rpc?.end();
    this.finishWhenDone();
  }

  /** The connection has closed: drops what waits, unsubscribes from what goes on. */
  close(): void {
    this.closed = true;
    this.dropQueue();
    this.rpc?.close();
    for (const stream of [...(this.streams ?? [])]) inFreshScope(() => stream.stop());
  }

  /** The teardown of an Observable that a handler returned has thrown. */
  reportTeardown(error: unknown): void {
    this.events.reportTeardown(this.connection, error);
  }

  private get waiting(): number {
    return this.queue?.length ?? 0;
  }

  private hasRoom(): boolean {
    return this.active <= (this.events.concurrency - 1) * this.lanes.length;
  }

  private start(message: Buffer): void {
    const { lanes } = this;
    this.active += lanes.length;
    for (let index = 0; index < lanes.length; index++) lanes[index]!.run(message);
  }

  private enqueue(message: Buffer): void {
    // Borrowed memory is the reactor's again before a waiting message's turn comes.
    this.queue.push(this.events.borrowed ? Buffer.from(message) : message);
    if (this.hasRoom()) this.events.turns.join(this);
    if (this.paused || !this.queue.full) return;
    this.paused = true;
    this.pauseReading();
  }

  /** One of the handlers that made messages wait has ended. */
  private goOn(): void {
    if (this.starting) return; // it has answered at once: whoever started it goes on
    const { turns } = this.events;
    while (this.mayStartNext() && turns.idle && turns.mayStart()) this.startNext();
    if (this.mayStartNext()) turns.join(this);
  }

  takeTurn(): boolean {
    if (this.mayStartNext()) this.startNext();
    return this.mayStartNext();
  }

  private mayStartNext(): boolean {
    return this.queue.length > 0 && this.hasRoom();
  }

  private startNext(): void {
    this.starting = true;
    // Not in the context of the message that has made room.
    if (this.connection.receives) inFreshScope(() => this.start(this.queue.shift()));
    else this.dropQueue();
    this.starting = false;
    if (!this.paused || !this.queue.low) return;
    this.paused = false;
    this.resumeReading();
  }

  private dropQueue(): void {
    const dropped = this.waiting * this.lanes.length;
    this.queue?.clear();
    if (dropped > 0) this.owe(-dropped);
  }

  private owe(lanes: number): void {
    const { connection } = this;
    connection.pendingReplies += lanes;
    if (connection.pendingReplies === 0) connection.releaseIdle();
    this.events.work.down(-lanes);
  }

  private finishWhenDone(): void {
    if (!this.ended || this.gated || this.closed || this.connection.pendingReplies > 0) return;
    this.ended = false;
    this.events.reactor.finish(this.connection);
  }
}
