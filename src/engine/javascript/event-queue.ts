import { inFreshScope } from '../fresh-scope.js';
import { Pace } from '../pace.js';
import type { EventTurns } from '../engine.js';

/** What an {@link EventQueue} tells its engine. */
export interface EventQueueOwner {
  /** An event threw. Those behind it are still delivered. */
  onUncaught(error: unknown): void;
  /** Events have waited, and none does any more. */
  onCaughtUp(): void;
}

/**
 * Delivers events in order, each in nobody's context, as many in a turn of Node's loop as there is time for. A turn begins with
 * the first event that the loop brings, and ends when it has gone round.
 */
export class EventQueue {
  private waiting: (() => void)[] = [];
  private readonly pace = new Pace();
  /** Of this turn. */
  private turns: EventTurns | undefined;
  private open = false;
  private began = 0;
  private delivered = 0;
  private lastTook = 0; // µs
  private stopped = false;

  constructor(
    private readonly currentTurns: () => EventTurns | undefined,
    private readonly owner: EventQueueOwner,
  ) {}

  /** No event waits for a later turn. */
  get caughtUp(): boolean {
    return this.waiting.length === 0;
  }

  /** @param paced whether it counts towards the time of a turn by itself, or somebody else sees to that */
  tell(event: () => void, paced: boolean): void {
    if (this.stopped) return;
    this.begin();
    if (!this.caughtUp || (paced && this.pace.isOver(this.delivered))) this.waiting.push(event);
    else this.deliver(event);
  }

  /** What waits is dropped, and nothing is delivered any more. */
  stop(): void {
    this.stopped = true;
    this.waiting = [];
  }

  private deliver(event: () => void): void {
    this.delivered++;
    try {
      inFreshScope(event);
    } catch (error) {
      inFreshScope(() => this.owner.onUncaught(error));
    }
  }

  private begin(): void {
    if (this.open) return;
    this.open = true;
    this.turns = this.currentTurns();
    this.began = performance.now();
    this.delivered = 0;
    this.pace.begin(this.lastTook);
    this.turns?.beginEvents(this.lastTook);
    setImmediate(() => this.end());
  }

  private end(): void {
    this.open = false;
    if (this.stopped) return;
    this.turns?.endEvents();
    this.pace.end(this.delivered);
    this.lastTook = (performance.now() - this.began) * 1000;
    if (!this.caughtUp) this.deliverWaiting();
  }

  private deliverWaiting(): void {
    const { waiting } = this;
    this.begin();
    let index = 0;
    do this.deliver(waiting[index++]!);
    while (index < waiting.length && !this.pace.isOver(this.delivered) && !this.stopped);
    if (this.stopped) return;
    this.waiting = waiting.slice(index);
    if (this.caughtUp) this.owner.onCaughtUp();
  }
}
