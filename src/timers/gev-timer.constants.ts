/** Metadata keys of `@RunEvery` and `@RunAfter`. */
export const RUN_EVERY_METADATA = Symbol('gev:run-every');
export const RUN_AFTER_METADATA = Symbol('gev:run-after');
