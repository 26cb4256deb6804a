/** The longest that setTimeout takes. */
const LONGEST = 2 ** 31 - 1;

/** One point in time that moves often and comes seldom: as long as it only moves away, no timer is touched. */
export class Deadline {
  private at = Infinity;
  private armed = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private look: NodeJS.Immediate | undefined;

  constructor(private readonly onTime: () => void) {}

  /** As performance.now() tells; Infinity: never. */
  set(at: number): void {
    this.at = at;
    if (at < this.armed) this.arm();
  }

  clear(): void {
    this.at = this.armed = Infinity;
    clearTimeout(this.timer);
    clearImmediate(this.look);
    this.timer = undefined;
  }

  private arm(): void {
    clearTimeout(this.timer);
    this.armed = this.at;
    const ms = Math.max(Math.ceil(this.at - performance.now()), 1);
    this.timer = setTimeout(this.expire, Math.min(ms, LONGEST)).unref();
  }

  private readonly expire = (): void => {
    this.armed = Infinity;
    this.timer = undefined;
    if (this.at === Infinity) return;
    if (performance.now() < this.at) {
      this.arm();
      return;
    }
    this.at = Infinity;
    // After a thread that was busy: what had come in time is read before.
    this.look = setImmediate(this.onTime);
  };
}
