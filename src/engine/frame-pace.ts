/** Bytes a second of a frame that takes long. */
const MINIMUM_PACE = 1024;

/** How fast an incomplete frame comes: silence for a time-out is the end of it, and so is less than the minimum over one. */
export class FramePace {
  private progress = 0;
  private since = 0;
  private from = 0;

  /** More of it has come. `begun`: it is another one than before; `received`: bytes in all. */
  update(kept: number, begun: boolean, received: number): void {
    this.progress = performance.now();
    if (begun) {
      this.since = this.progress;
      this.from = received - kept;
    }
  }

  /** It is judged anew from now on. */
  restart(now: number, received: number): void {
    this.progress = this.since = now;
    this.from = received;
  }

  /** When to look, as performance.now() tells. */
  deadline(timeout: number): number {
    return Math.min(this.progress, this.since) + timeout;
  }

  isTooSlow(now: number, timeout: number, received: number): boolean {
    if (timeout === 0) return false;
    if (now >= this.progress + timeout) return true;
    if (now < this.since + timeout) return false;
    if ((received - this.from) * 1000 < MINIMUM_PACE * (now - this.since)) return true;
    this.since = now;
    this.from = received;
    return false;
  }
}
