import type { ReactorTurns } from '../core/reactor.js';

/** Somebody with messages that wait for a handler: a connection. */
export interface TurnTaker {
  /** Starts the handler of one waiting message, if it may. Returns whether another one could follow. */
  takeTurn(): boolean;
}

/** Handlers that may start in one turn, and how long that may take: whichever is reached first ends it. */
const MAX_STARTS = 32;
const MAX_MS = 0.5;
/** Starts between two looks at the clock, at most. */
const MAX_UNWATCHED = 8;

/**
 * Lets the connections of a server start handlers in turn, so that nobody waits for more than one turn of each of the
 * others, however much they have sent.
 *
 * What a loop delivers is started as it comes, in the order of arrival, while the turn lasts: quick handlers never meet
 * its end. From then on until Node's loop has gone round, what comes waits in its connection's queue. Connections with
 * something waiting take turns, one handler each, as long as a turn lasts, and then Node's loop goes round again.
 */
export class Turns implements ReactorTurns {
  /** In the order of their turns. */
  private readonly takers = new Set<TurnTaker>();
  private scheduled = false;
  private ended = false;
  private started = 0;
  private lookAt = 1;
  private began = 0;

  /** @param report told what a taker threw: the others have their turn all the same */
  constructor(private readonly report: (error: unknown) => void) {}

  /** Nobody waits. */
  get idle(): boolean {
    return this.takers.size === 0;
  }

  /** The turn is over, and somebody waits for the next one. */
  get spent(): boolean {
    return this.ended && !this.idle;
  }

  /** So many events are about to be delivered: a turn begins, unless the last one was cut short and others wait. */
  onEvents(events: number): void {
    if (!this.spent) this.begin(events);
  }

  /** Whether one more handler may start in this turn, which then counts as started. */
  mayStart(): boolean {
    if (this.started === this.lookAt) this.look();
    this.started++;
    return !this.ended;
  }

  /** Has a handler of this one started when its turn comes. To be called whenever something waits and could start. */
  join(taker: TurnTaker): void {
    this.takers.add(taker);
    this.schedule();
  }

  /** The first handler may be slow, or the ninth: looks after 1, 2, 4, 8, 16, … starts. */
  private look(): void {
    const now = performance.now();
    if (this.began === 0) this.began = now;
    this.ended = now - this.began >= MAX_MS || this.started >= MAX_STARTS;
    this.lookAt = this.started + Math.min(this.started, MAX_UNWATCHED);
  }

  private begin(events: number): void {
    this.ended = false;
    this.started = 0;
    this.lookAt = 1;
    this.began = events > 1 ? performance.now() : 0; // a single one needs no clock
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.run);
  }

  private readonly run = (): void => {
    this.scheduled = false;
    this.begin(this.takers.size + 1);
    for (const taker of this.takers) {
      if (!this.mayStart()) break;
      this.takers.delete(taker);
      try {
        if (taker.takeTurn()) this.takers.add(taker); // behind the others
      } catch (error) {
        this.report(error);
      }
    }
    if (this.takers.size > 0) this.schedule();
  };
}
