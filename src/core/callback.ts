import { AsyncResource } from 'node:async_hooks';
import { isThenable } from './values.js';

/** Told what a function of the application threw. `culprit` names the function at the beginning of a log line. */
export type FailureReport = (culprit: string, error: unknown) => void;

/** The async context of whoever made this, for functions that are called later, whoever causes the call. */
export class Registrar extends AsyncResource {
  constructor() {
    super('GevRegistrar');
  }

  /** Each call is given the context anew: what one enters (`AsyncLocalStorage.enterWith`) the next does not see. */
  call<Result>(fn: () => Result): Result {
    return this.runInAsyncScope(createCall).runInAsyncScope(fn);
  }
}

function createCall(): AsyncResource {
  return new AsyncResource('GevCall');
}

/**
 * Keeps a function of the application to call it later, in the async context of this call. What the function throws, or
 * rejects with, is reported and reaches nobody else.
 */
export function bindCallback<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  culprit: string,
  report: FailureReport,
): (...args: Args) => void {
  const registrar = new Registrar();
  return (...args) => contain(() => registrar.call(() => fn(...args)), culprit, report);
}

/** As {@link bindCallback}, of one that is called once at most. */
export function bindOnce<Args extends unknown[]>(
  fn: (...args: Args) => unknown,
  culprit: string,
  report: FailureReport,
): (...args: Args) => void {
  const registrar = new Registrar();
  return (...args) => contain(() => registrar.runInAsyncScope(fn, undefined, ...args), culprit, report);
}

function contain(run: () => unknown, culprit: string, report: FailureReport): void {
  try {
    const result = run();
    if (isThenable(result)) result.then(undefined, (error: unknown) => report(culprit, error));
  } catch (error) {
    report(culprit, error);
  }
}
