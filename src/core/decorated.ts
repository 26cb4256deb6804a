import { inCommon } from './both-builds.js';

/**
 * What decorators of this package have been put on, as `Class.method`. Nothing works from it: it is there for warnings of
 * decorators that never come to life.
 */
export const decorated = inCommon('decorated', () => ({
  connectionHandlers: new Set<string>(),
  /** Those of {@link connectionHandlers} that Nest has shown to a server, whether it took them or not. */
  registered: new Set<string>(),
  timers: new Set<string>(),
  /** A {@link GevModule} looks for timers in this process. */
  timersAreSought: false,
}));

/** Some of the names, for a message. */
export function someOf(names: Iterable<string>): string {
  const [first, ...others] = names;
  return others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
}
