/** Finds and loads the addon: where it was looked for, and what came of it. Does not throw. */
export function loadAddon(): {
  /** What it exports; undefined where it is not there or does not load. */
  readonly addon: unknown;
  readonly tried: readonly string[];
  /** Whether a bundler has put the loader into a file of its own, away from the package's other files. */
  readonly bundled: boolean;
  /** Why a file that is there does not load. */
  readonly error?: unknown;
};
