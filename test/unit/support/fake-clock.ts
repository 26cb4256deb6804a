import type { Clock } from '../../../src/core/clock.js';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Time that stands still until it is told to go on, and chance that is no chance. */
export class FakeClock implements Clock {
  time = 1_000;
  /** What `random()` returns. */
  chance = 0;
  private readonly timers = new Set<Timer>();

  get timerCount(): number {
    return this.timers.size;
  }

  now(): number {
    return this.time;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** Lets so much time pass; what becomes due runs in its order. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(({ at }) => at <= end).sort((left, right) => left.at - right.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.time = Math.max(this.time, due.at);
      due.run();
    }
    this.time = end;
  }
}
