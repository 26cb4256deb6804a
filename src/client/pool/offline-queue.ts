import type { Link } from './link.js';

/** Who needs a connection. */
export interface Waiter {
  /** The queue it waits in. */
  offlineQueue: OfflineQueue | undefined;
  /** Here is the connection to take. Called in its context. */
  take(link: Link): void;
  /** There is none to be had. Called in any context. */
  fail(error: unknown): void;
  /** Calls `run` in its context. */
  runInAsyncScope(run: () => void): void;
}

/** Those who wait for a connection, first come first served. */
export class OfflineQueue {
  private readonly waiting = new Set<Waiter>();

  get size(): number {
    return this.waiting.size;
  }

  enter(waiter: Waiter): void {
    this.waiting.add(waiter);
    waiter.offlineQueue = this;
  }

  /** One does not wait any longer. */
  leave(waiter: Waiter): void {
    this.waiting.delete(waiter);
    waiter.offlineQueue = undefined;
  }

  /** Sends away all but the first so many. */
  dismiss(kept: number): readonly Waiter[] {
    const leaving = [...this.waiting].slice(kept);
    for (const waiter of leaving) this.leave(waiter);
    return leaving;
  }
}
