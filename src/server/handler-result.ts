import { isObservable, type Observable, type Subscription, UnsubscriptionError } from 'rxjs';

/** An Observable. Bytes are ruled out first: they are the common case, and `isObservable` is slow to say no. */
export function isStream(value: unknown): value is Observable<unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && isObservable(value);
}

export { isData, isThenable } from '../core/values.js';

/** Ends a subscription. What teardowns of the application throw goes to `report`; each has run all the same. */
export function unsubscribe(subscription: Subscription, report: (error: unknown) => void): void {
  try {
    subscription.unsubscribe();
  } catch (error) {
    const errors: unknown[] = error instanceof UnsubscriptionError ? error.errors : [error];
    for (const each of errors) report(each);
  }
}
