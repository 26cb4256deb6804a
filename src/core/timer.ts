import { MAX_DELAY } from './constants.js';
import { GevTimerError } from './errors.js';

/**
 * A timer of a server. It begins when the server listens and ends with the server.
 *
 * @publicApi
 */
export interface GevTimer {
  /** How often it has run. */
  readonly runs: number;
  /** How many ticks were left out because the run before was still going. */
  readonly skipped: number;
  /** Whether it will run again. */
  readonly active: boolean;
  /** Ends it for good. A run that is going on is not interrupted. May be called again. */
  cancel(): void;
}

/** A timer that tells when it has ended. @internal */
export interface EndingTimer extends GevTimer {
  /** Calls back once, when it will not run again. */
  whenEnded(callback: () => void): void;
}

/** What one may say about any timer. */
export interface GevTimerOptions {
  /** Used in log lines. */
  readonly name?: string;
  /** Cancels the timer when it aborts. */
  readonly signal?: AbortSignal;
}

/** What one may say about a repeated timer. */
export interface GevIntervalOptions extends GevTimerOptions {
  /**
   * Run on each tick even while a promise returned by an earlier run is pending. By default such ticks are skipped and
   * counted in {@link GevTimer.skipped}.
   */
  readonly overlap?: boolean;
}

/**
 * Refuses what no timer can wait.
 *
 * @param ms whole milliseconds from 1 to 2147483647
 * @throws GevTimerError
 */
export function assertInterval(ms: unknown, what: string): asserts ms is number {
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= 1 && ms <= MAX_DELAY) return;
  throw new GevTimerError(
    `${what} must be a whole number of milliseconds from 1 to ${MAX_DELAY}, not ${typeof ms === 'string' ? `"${ms}"` : String(ms)}`,
  );
}
