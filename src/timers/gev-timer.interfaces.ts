/** What {@link RunEvery} and {@link RunAfter} both take. */
export interface RunOptions {
  /** The name in {@link GevTimerRegistry}. Default: `Class.method`. */
  readonly name?: string;
  /**
   * The name of the server whose loop it runs on. Default: that of the {@link GevModule} without a name, or the only one.
   */
  readonly server?: string;
}

/** Options of {@link RunEvery}. */
export interface RunEveryOptions extends RunOptions {
  /** Whole milliseconds from 1 to 2147483647. */
  readonly every: number;
  /** Run on each tick even while a promise of an earlier run is pending. Default: skip such ticks, and count them. */
  readonly overlap?: boolean;
}

/** Options of {@link RunAfter}. */
export interface RunAfterOptions extends RunOptions {
  /** Whole milliseconds from 1 to 2147483647. */
  readonly after: number;
}
