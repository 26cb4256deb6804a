import type { Clock } from '../../core/clock.js';
import type { GevReconnectOptions } from '../gev.client.options.js';

/** The least time between two attempts for requests, if `initialDelay` is not less. */
const LEAST_GAP_MS = 100;
/** To it that grows for a server that asks every connection to end, where nothing else is said. */
const LONGEST_GAP_MS = 5_000;

/**
 * When an endpoint is to be dialled again: exponential back-off in the background, sooner where a request needs it. The
 * back-off starts over once a connection has lasted longer than the last delay, so that a server which accepts and hangs
 * up at once is not hammered.
 */
export class Reconnect {
  private delay: number;
  private cancelTimer: (() => void) | undefined;
  private begunAt = -Infinity;
  private hastening = false;
  private untried = false; // no request has asked for a connection since one was lost
  private connectedAt = Infinity;
  private lastDelay = 0;
  private departures = 0; // attempts in a row whose connections were soon asked to end, or ended unused
  private counted = false; // among those is the last attempt

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

  /** An attempt waits for its time that a request has asked for. */
  get hastened(): boolean {
    return this.hastening;
  }

  /**
   * A request needs a connection. The first since one was lost is tried for at once, others not more often than the least
   * gap allows: whoever comes sooner waits for its end.
   */
  hasten(attempt: () => void): void {
    if (this.hastening) return;
    const wait = this.untried && this.departures === 0 ? 0 : this.begunAt + this.gap - this.clock.now();
    this.untried = false;
    if (wait <= 0) {
      attempt();
      return;
    }
    this.cancel();
    this.hastening = true;
    this.cancelTimer = this.clock.after(wait, () => {
      this.cancel();
      attempt();
    });
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
    this.counted = false;
  }

  /**
   * The server has asked a connection to end, or it has ended before somebody answered on it. One that does so time after
   * time is dialled ever less often.
   *
   * @param since when the connection was made, as the clock tells
   */
  departed(since: number): void {
    const soon = 2 * Math.max(this.gap, LEAST_GAP_MS);
    if (this.clock.now() - since > soon) this.departures = 0;
    else if (!this.counted && since >= this.begunAt) {
      this.departures++;
      this.counted = true;
    }
  }

  connected(): void {
    this.connectedAt = this.clock.now();
  }

  lost(): void {
    const lasted = this.clock.now() - this.connectedAt;
    if (lasted > this.lastDelay) this.delay = this.initialDelay;
    if (lasted >= this.leastGap) this.untried = true;
  }

  cancel(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.hastening = false;
  }

  /** The least time between two attempts for requests. */
  private get gap(): number {
    if (this.departures === 0) return this.leastGap;
    const longest = this.options === false ? LONGEST_GAP_MS : this.options.maxDelay;
    return Math.min(LEAST_GAP_MS * 2 ** this.departures, longest);
  }

  private get leastGap(): number {
    return Math.min(this.initialDelay, LEAST_GAP_MS);
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
