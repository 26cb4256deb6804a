/** Loads msgpackr from where the application has installed it. Does not throw. */
export function loadMsgpackr(): {
  /** What it exports; undefined where it is not there or does not load. */
  readonly msgpackr?: unknown;
  /** Why. */
  readonly error?: unknown;
};
