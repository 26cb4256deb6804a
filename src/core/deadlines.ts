import type { Clock } from './clock.js';

/** How late a deadline may be noticed, in milliseconds: expired ones are swept together. */
const GRAIN_MS = 10;

/** What may be late. The links are the list's own. */
export interface Timed<Item> {
  deadline: number;
  queue: DeadlineQueue<Item> | undefined;
  earlier: Item | undefined;
  later: Item | undefined;
}

/** All that has the same time to live: what joined first is due first. */
export class DeadlineQueue<Item> {
  first: Item | undefined;
  last: Item | undefined;

  constructor(readonly ms: number) {}
}

/**
 * Deadlines of many things by one timer: joining and leaving cost a few stores, and the timer is set about once in the
 * time that a thing may take.
 */
export class Deadlines<Item extends Timed<Item>> {
  private readonly queues = new Map<number, DeadlineQueue<Item>>();
  private cancelTimer: (() => void) | undefined;
  private timerAt = Infinity;

  /** @param expire told once of each item that was not removed in time; it has left the list */
  constructor(
    private readonly clock: Clock,
    private readonly expire: (item: Item) => void,
  ) {}

  /** @param ms how long it may take; 0: without end */
  add(item: Item, ms: number): void {
    if (ms === 0) return;
    let queue = this.queues.get(ms);
    if (queue === undefined) this.queues.set(ms, (queue = new DeadlineQueue<Item>(ms)));
    const deadline = this.clock.now() + ms;
    item.deadline = deadline;
    item.queue = queue;
    item.earlier = queue.last;
    if (queue.last === undefined) queue.first = item;
    else queue.last.later = item;
    queue.last = item;
    if (deadline < this.timerAt) this.arm(deadline, ms);
  }

  /** Harmless when it is not in the list. */
  remove(item: Item): void {
    const { queue, earlier, later } = item;
    if (queue === undefined) return;
    item.queue = item.earlier = item.later = undefined;
    if (earlier === undefined) queue.first = later;
    else earlier.later = later;
    if (later === undefined) queue.last = earlier;
    else later.earlier = earlier;
  }

  private arm(at: number, delay: number): void {
    this.cancelTimer?.();
    this.timerAt = at;
    this.cancelTimer = this.clock.after(Math.ceil(delay), () => this.sweep());
  }

  private sweep(): void {
    this.cancelTimer = undefined;
    this.timerAt = Infinity;
    const now = this.clock.now();
    let next = Infinity;
    for (const queue of this.queues.values()) {
      let { first } = queue;
      while (first !== undefined && first.deadline <= now) {
        this.remove(first);
        this.expire(first);
        ({ first } = queue);
      }
      if (first === undefined) this.queues.delete(queue.ms);
      else if (first.deadline < next) next = first.deadline;
    }
    if (next < this.timerAt) this.arm(next, Math.max(next - now, GRAIN_MS));
  }
}
