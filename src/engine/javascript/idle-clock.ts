/** How long nothing has happened on a connection, and whether anybody has been asked what that means. Times in ms. */
export class IdleClock {
  /** Somebody was asked and has not answered. */
  asked = false;
  /** As performance.now() tells; kept up while there is a timeout. */
  lastActivity = performance.now();

  /** @param timeout 0: none */
  constructor(private timeout: number) {}

  touch(): void {
    if (this.timeout !== 0) this.lastActivity = performance.now();
  }

  setTimeout(ms: number): void {
    this.timeout = ms;
  }

  /** It begins anew, whatever was asked. */
  restart(): void {
    this.asked = false;
    this.touch();
  }

  /** When to look, as performance.now() tells. */
  get deadline(): number {
    return this.timeout === 0 || this.asked ? Infinity : this.lastActivity + this.timeout;
  }

  isOver(now: number): boolean {
    return this.timeout !== 0 && now >= this.lastActivity + this.timeout;
  }
}
