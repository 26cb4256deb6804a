export const NON_STATIC_TIMER = (label: string): string =>
  `Cannot register the timer "${label}": its class is not a singleton, so there is no instance to run it on`;
