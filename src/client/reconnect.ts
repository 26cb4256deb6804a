import type { Clock } from './clock.js';
import type { GevReconnectOptions } from './gev.client.options.js';

/** The least time between two attempts where no reconnecting in the background is wanted. */
const LEAST_GAP_MS = 100;

/**
 * When an endpoint is to be dialled again: exponential back-off in the background, sooner where a request needs it. The
 * back-off starts over once a connection has lasted longer than the last delay, so that a server which accepts and hangs
 * up at once is not hammered.
 */
export class Reconnect {
  private delay: number;
  private cancelTimer: (() => void) | undefined;
  private begunAt = -Infinity;
  private connectedAt = Infinity;
  private lastDelay = 0;

  /** @param options false: nothing happens in the background */
  constructor(
    private readonly options: Required<GevReconnectOptions> | false,
    private readonly clock: Clock,
  ) {
    this.delay = this.initialDelay;
  }

  /** An attempt waits for its time. */
  get scheduled(): boolean {
    return this.cancelTimer !== undefined;
  }

  /** The last attempt began so long ago that a request may start one. */
  get due(): boolean {
    return this.clock.now() - this.begunAt >= this.initialDelay;
  }

  /**
   * Calls once after the next delay.
   *
   * @returns the delay in milliseconds; undefined when an attempt is scheduled already or none is wanted
   */
  schedule(attempt: () => void): number | undefined {
    if (this.options === false || this.scheduled) return undefined;
    const delay = this.nextDelay(this.options);
    this.cancelTimer = this.clock.after(delay, () => {
      this.cancelTimer = undefined;
      attempt();
    });
    return delay;
  }

  /** An attempt begins, whoever asked for it. */
  began(): void {
    this.cancel();
    this.begunAt = this.clock.now();
  }

  connected(): void {
    this.connectedAt = this.clock.now();
  }

  lost(): void {
    if (this.clock.now() - this.connectedAt > this.lastDelay) this.delay = this.initialDelay;
  }

  cancel(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private get initialDelay(): number {
    return this.options === false ? LEAST_GAP_MS : this.options.initialDelay;
  }

  private nextDelay({ maxDelay, factor, jitter }: Required<GevReconnectOptions>): number {
    this.lastDelay = this.delay;
    this.delay = Math.min(this.delay * factor, maxDelay);
    return Math.round(this.lastDelay * (1 - jitter * this.clock.random()));
  }
}
