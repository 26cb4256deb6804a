import { inFreshScope } from '../engine/fresh-scope.js';

/** Time and chance, so that tests can bring their own. Times in milliseconds on a monotonic clock. */
export interface Clock {
  now(): number;
  /** At least 0, less than 1. */
  random(): number;
  /**
   * Calls once, in a context of its own, unless the function returned is called before. Keeps no process alive.
   */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  random: () => Math.random(),
  after(ms, run) {
    const timer = inFreshScope(() => setTimeout(run, ms).unref());
    return () => clearTimeout(timer);
  },
};
