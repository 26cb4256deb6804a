const SECOND_MS = 1000;

/** So many a second, and as many at once after a second's rest. native/reactor/accept_rate.h documents it. */
export class AcceptRate {
  private readonly interval: number;

  /** @param perSecond 0: no limit */
  constructor(perSecond: number) {
    this.interval = perSecond === 0 ? 0 : SECOND_MS / perSecond;
  }

  get limits(): boolean {
    return this.interval > 0;
  }

  /** One more now? Then until when the rate is used up with it. */
  pass(usedUntil: number): number | undefined {
    if (this.isUsedUp(usedUntil)) return undefined;
    return this.limits ? Math.max(usedUntil, performance.now()) + this.interval : usedUntil;
  }

  isUsedUp(usedUntil: number): boolean {
    return this.limits && usedUntil - performance.now() > SECOND_MS - this.interval;
  }
}
