/** The longest that setTimeout takes. */
const LONGEST = 2 ** 31 - 1;

interface RateTimer {
  readonly interval: number;
  due: number;
  /** The last tick has not been reported done. */
  running: boolean;
  skipped: number;
  handle: NodeJS.Timeout;
}

/** Timers at a fixed rate: ticks that come while the one before is not done are counted and left out. */
export class RateTimers {
  private readonly timers = new Map<number, RateTimer>();

  constructor(private readonly onTick: (id: number, skipped: number) => void) {}

  /** In ms; `interval` 0: once. */
  start(id: number, delay: number, interval: number): void {
    const due = performance.now() + delay;
    const handle = this.wait(id, delay);
    this.timers.set(id, { interval, due, running: false, skipped: 0, handle });
  }

  cancel(id: number): void {
    clearTimeout(this.timers.get(id)?.handle);
    this.timers.delete(id);
  }

  done(id: number): void {
    const timer = this.timers.get(id);
    if (timer !== undefined) timer.running = false;
  }

  clear(): void {
    for (const id of [...this.timers.keys()]) this.cancel(id);
  }

  private wait(id: number, ms: number): NodeJS.Timeout {
    return setTimeout(() => this.expire(id), Math.min(Math.max(Math.ceil(ms), 1), LONGEST)).unref();
  }

  private expire(id: number): void {
    const timer = this.timers.get(id);
    if (timer === undefined) return;
    const now = performance.now();
    if (now < timer.due) {
      timer.handle = this.wait(id, timer.due - now); // Node's clock counts whole milliseconds
      return;
    }
    if (timer.interval === 0) {
      this.timers.delete(id);
      this.onTick(id, 0);
      return;
    }
    const late = Math.floor((now - timer.due) / timer.interval);
    timer.due += (late + 1) * timer.interval;
    timer.handle = this.wait(id, timer.due - now);
    timer.skipped += late;
    if (timer.running) {
      timer.skipped++;
      return;
    }
    timer.running = true;
    const { skipped } = timer;
    timer.skipped = 0;
    this.onTick(id, skipped);
  }
}
