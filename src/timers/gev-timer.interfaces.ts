/** Options of {@link RunEvery}. */
export interface RunEveryOptions {
  /** Whole milliseconds from 1 to 2147483647. */
  readonly every: number;
  /** The name in {@link GevTimerRegistry}. Default: `Class.method`. */
  readonly name?: string;
  /** Run on each tick even while a promise of an earlier run is pending. Default: skip such ticks, and count them. */
  readonly overlap?: boolean;
}

/** Options of {@link RunAfter}. */
export interface RunAfterOptions {
  /** Whole milliseconds from 1 to 2147483647. */
  readonly after: number;
  /** The name in {@link GevTimerRegistry}. Default: `Class.method`. */
  readonly name?: string;
}
