/** Metadata keys of `@RunEvery` and `@RunAfter`. */
export const RUN_EVERY_METADATA = Symbol.for('gev:run-every');
export const RUN_AFTER_METADATA = Symbol.for('gev:run-after');
