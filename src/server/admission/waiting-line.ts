import { take, type Subscription } from 'rxjs';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import { MessageQueue } from './message-queue.js';
import type { Turns, TurnTaker } from './turns.js';

/** Whose messages wait, and what is done with them. */
export interface LineOwner<Message> {
  readonly connection: Pick<ReactorConnection, 'congested' | 'drain$'>;
  /** A message more may be handled at once. */
  hasRoom(): boolean;
  /** What came is still wanted; if not, what waits is dropped when its turn comes. */
  readonly receives: boolean;
  start(message: Message): void;
  onDropped(count: number): void;
  /** Messages wait, and there is no room for one. */
  onNoRoom?(): void;
  /** Too many wait. */
  pauseReading(): void;
  resumeReading(): void;
  /** One more waits all the same. */
  overfill(): void;
}

/**
 * Messages of one connection that wait for their handlers: for room, for the peer to read what it was sent, or for the
 * connection's turn. While too many wait, nothing more is read from the connection.
 */
export class WaitingLine<Message> implements TurnTaker {
  private readonly queue: MessageQueue<Message>;
  private paused = false;
  private starting = false;
  private relief: Subscription | undefined;

  /** @param maxSize bytes (or code units) that may wait before reading pauses */
  constructor(
    protected readonly owner: LineOwner<Message>,
    protected readonly turns: Turns,
    maxSize: number,
  ) {
    this.queue = new MessageQueue(maxSize);
  }

  get length(): number {
    return this.queue.length;
  }

  /** The message joins the end of the line. */
  push(message: Message): void {
    this.queue.push(message);
    if (this.owner.hasRoom()) this.turns.join(this, this.queue.length === 1);
    else this.awaitRoom();
    if (this.paused) {
      this.owner.overfill();
    } else if (this.queue.full) {
      this.paused = true;
      this.owner.pauseReading();
    }
  }

  /** Something that made messages wait has ended. */
  goOn(): void {
    if (this.queue.length === 0 || this.starting) return; // whoever starts a handler that answers at once goes on
    const { turns } = this;
    while (this.mayStart() && turns.idle && turns.mayStart()) this.startNext();
    if (this.mayStart()) turns.join(this);
    else this.awaitRoom();
  }

  takeTurn(): boolean {
    if (this.mayStart()) this.startNext();
    if (this.mayStart()) return true;
    this.awaitRoom();
    return false;
  }

  /** Starts all that wait, whether there is room or not. */
  startAll(): void {
    while (this.queue.length > 0) this.startNext();
  }

  /** Nobody wants them any more. */
  drop(): void {
    const { length } = this.queue;
    this.queue.clear();
    if (length > 0) this.owner.onDropped(length);
  }

  private awaitRoom(): void {
    if (this.queue.length === 0) return;
    this.owner.onNoRoom?.();
    this.awaitRelief();
  }

  /** Output above the high-water mark: goes on at the low-water mark. */
  private awaitRelief(): void {
    const { connection } = this.owner;
    if (this.relief !== undefined || !connection.congested) return;
    this.relief = connection.drain$.pipe(take(1)).subscribe(() => {
      this.relief = undefined;
      this.goOn();
    });
  }

  private mayStart(): boolean {
    return this.queue.length > 0 && this.owner.hasRoom();
  }

  private startNext(): void {
    this.starting = true;
    try {
      // Not in the context of the message that has made room.
      if (this.owner.receives) inFreshScope(() => this.owner.start(this.queue.shift()));
      else this.drop();
    } finally {
      this.starting = false;
      this.resume();
    }
  }

  private resume(): void {
    if (!this.paused || !this.queue.low) return;
    this.paused = false;
    this.owner.resumeReading();
  }
}
