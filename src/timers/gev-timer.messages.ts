export const NON_STATIC_TIMER = (label: string): string =>
  `Cannot register the timer "${label}": its class is not a singleton, so there is no instance to run it on`;

/** @param providers what Nest has made instances of the class for */
export const REPEATED_TIMERS = (labels: readonly string[], providers: readonly string[]): string =>
  `${labels.join(' and ')} runs once for each of ${providers.length} instances of its class, ${providers.join(', ')}: where ` +
  'one is meant, list the class in one module, and alias it with useExisting';
