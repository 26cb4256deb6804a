import { type Clock, systemClock } from '../core/clock.js';
import { type DeadlineQueue, Deadlines, type Timed } from '../core/deadlines.js';

/** Whose age is watched: a connection. */
export interface Ageing {
  /** It is old enough: its peer is to be asked to go. */
  onAge(): void;
  /** It was asked long enough ago. */
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
  reached = false;

  constructor(readonly owner: Ageing) {}
}

/** How long connections last at most. */
export class ConnectionAges {
  private readonly ages = new Map<Ageing, Age>();
  private readonly deadlines: Deadlines<Age>;

  /**
   * @param limit in ms, give or take {@link JITTER}
   * @param grace in ms; 0: without end
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
    if (age.reached) {
      age.owner.onOverage();
      return;
    }
    age.reached = true;
    this.deadlines.add(age, this.grace);
    age.owner.onAge();
  }
}
