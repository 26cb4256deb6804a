import { AsyncResource } from 'node:async_hooks';
import { isThenable } from './values.js';

/** Told what a function of the application threw. `culprit` names the function at the beginning of a log line. */
export type FailureReport = (culprit: string, error: unknown) => void;

/**
 * Keeps a function of the application to call it later: in the async context of this call, whoever causes the later one.
 * What the function throws, or rejects with, is reported and reaches nobody else.
 */
export function bindCallback<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  culprit: string,
  report: FailureReport,
): (...args: Args) => void {
  const registrar = new AsyncResource('GevCallback');
  return (...args) => {
    try {
      const result = registrar.runInAsyncScope(fn, undefined, ...args);
      if (isThenable(result)) result.then(undefined, (error: unknown) => report(culprit, error));
    } catch (error) {
      report(culprit, error);
    }
  };
}
