import { within } from '../../core/within.js';

/** Counts what is under way, and lets one wait until nothing is. */
export class Tally {
  private under = 0;
  private waiters: (() => void)[] = [];

  get count(): number {
    return this.under;
  }

  up(by: number): void {
    this.under += by;
  }

  down(by: number): void {
    this.under -= by;
    if (this.under === 0 && this.waiters.length > 0) {
      const waiters = this.waiters;
      this.waiters = [];
      for (const waiter of waiters) waiter();
    }
  }

  /** True once nothing is under way, false when `ms` went by first. */
  zero(ms: number): Promise<boolean> {
    if (this.under === 0) return Promise.resolve(true);
    return within(new Promise<void>((resolve) => this.waiters.push(resolve)), ms);
  }
}
