import { within } from '../../core/within.js';

/** Counts what is under way, and lets one wait until nothing is. */
export class WaitGroup {
  private size = 0;
  private waiters: (() => void)[] = [];

  get count(): number {
    return this.size;
  }

  add(count: number): void {
    this.size += count;
  }

  done(count: number): void {
    this.size -= count;
    if (this.size === 0 && this.waiters.length > 0) {
      const waiters = this.waiters;
      this.waiters = [];
      for (const waiter of waiters) waiter();
    }
  }

  /** True once nothing is under way, false when `ms` went by first. */
  wait(ms: number): Promise<boolean> {
    if (this.size === 0) return Promise.resolve(true);
    return within(new Promise<void>((resolve) => this.waiters.push(resolve)), ms);
  }
}
