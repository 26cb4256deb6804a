import { type Clock, systemClock } from '../../core/clock.js';
import { type DeadlineQueue, Deadlines, type Timed } from '../../core/deadlines.js';

/** Whose age is watched: a connection. */
export interface Ageing {
  /** It is old enough: its peer is to be asked to go. */
  onAge(): void;
  /** Most of its time to go is over; see {@link lastMoments}. */
  onLate(): void;
  /** Half of what was left then is over, too. */
  onVeryLate(): void;
  /** It was asked long enough ago, or is not to be asked at all. */
  onOverage(): void;
}

/** Ages differ by a tenth at most, so that connections which began together do not all end together. */
const JITTER = 0.1;
/** In so many steps: what has the same age shares a queue of deadlines. */
const STEPS = 32;

class Age implements Timed<Age> {
  deadline = 0;
  queue: DeadlineQueue<Age> | undefined = undefined;
  earlier: Age | undefined = undefined;
  later: Age | undefined = undefined;
  /** How often it was told. */
  told = 0;

  constructor(readonly owner: Ageing) {}
}

/** How long connections last at most. */
export class ConnectionAges {
  private readonly ages = new Map<Ageing, Age>();
  private readonly deadlines: Deadlines<Age>;

  /**
   * @param limit in ms, give or take {@link JITTER}
   * @param grace how long it may take to go, in ms; 0: it is not asked
   */
  constructor(
    private readonly limit: number,
    private readonly grace: number,
    private readonly clock: Clock = systemClock,
  ) {
    this.deadlines = new Deadlines<Age>(clock, (age) => this.expire(age));
  }

  watch(owner: Ageing): void {
    const age = new Age(owner);
    this.ages.set(owner, age);
    const step = Math.floor(this.clock.random() * STEPS) / (STEPS - 1);
    this.deadlines.add(age, this.limit * (1 - JITTER + 2 * JITTER * step));
  }

  /** Its connection has closed. */
  forget(owner: Ageing): void {
    const age = this.ages.get(owner);
    if (age === undefined) return;
    this.ages.delete(owner);
    this.deadlines.remove(age);
  }

  private expire(age: Age): void {
    const { deadlines, grace } = this;
    const last = lastMoments(grace);
    const told = grace === 0 ? 3 : age.told++;
    // Whoever is told may be gone by then: the next deadline first.
    if (told < 3) deadlines.add(age, told === 0 ? grace - last : last / 2);
    if (told === 0) age.owner.onAge();
    else if (told === 1) age.owner.onLate();
    else if (told === 2) age.owner.onVeryLate();
    else age.owner.onOverage();
  }
}

/** Of the time that peers have to go, and at most, how much is left to find a moment for FIN with those that are never quiet. */
const LAST_SHARE = 0.1;
const MOST_LAST_MS = 1_000;

/**
 * How long before the end peers hear FIN as soon as they are owed nothing. Where half of it has brought no such moment, what
 * was read by then is answered, and nothing more is read.
 *
 * @param time in ms, as the result: that they have in all
 */
export function lastMoments(time: number): number {
  return Math.min(time * LAST_SHARE, MOST_LAST_MS);
}
