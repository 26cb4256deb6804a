import { types } from 'node:util';
import { isObservable, type Observable, type Subscription, UnsubscriptionError } from 'rxjs';
import type { GevContext } from '../../context/gev.context.js';

/** A handler as Nest registers it: the method inside its guards, interceptors, pipes and filters. */
export type NestHandler = (data: unknown, context: GevContext) => unknown;

/**
 * Whether a handler has returned an Observable. Bytes are ruled out first: they are the common case, and `isObservable` is
 * slow to say no. What throws when it is looked at is none.
 */
export function isStream(value: unknown): value is Observable<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return !(value instanceof Uint8Array) && isObservable(value);
  } catch {
    return false;
  }
}

/** Ends a subscription. What teardowns of the application throw goes to `report`; each has run all the same. */
export function unsubscribe(subscription: Subscription, report: (error: unknown) => void): void {
  try {
    subscription.unsubscribe();
  } catch (error) {
    const errors: unknown[] = error instanceof UnsubscriptionError ? error.errors : [error];
    for (const each of errors) report(each);
  }
}

/** What Nest's exception handler answers to an error that it did not expect, after it has logged it with its stack. */
export const INTERNAL_ERROR = Object.freeze({ status: 'error', message: 'Internal server error' });

/** Whether an error is that answer: Nest, or a filter in its place, has logged what led to it. */
export function isLoggedByNest(error: unknown): boolean {
  try {
    const { status, message } = (error ?? {}) as { readonly status?: unknown; readonly message?: unknown };
    return (
      status === INTERNAL_ERROR.status && message === INTERNAL_ERROR.message && !(error instanceof Error)
    );
  } catch {
    return false; // nothing of it can be read
  }
}

/** What a caller is told of an error. One that JSON would show as `{}` says at least that there was one. */
export function toErrorReply(error: unknown): unknown {
  const blank = types.isNativeError(error) && Object.keys(error).length === 0 && !('toJSON' in error);
  return blank ? INTERNAL_ERROR : error;
}
