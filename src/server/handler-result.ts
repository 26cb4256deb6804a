import { isObservable, type Observable, type Subscription, UnsubscriptionError } from 'rxjs';

/**
 * An Observable. Bytes are ruled out first: they are the common case, and `isObservable` is slow to say no. What throws
 * when it is looked at is none.
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
