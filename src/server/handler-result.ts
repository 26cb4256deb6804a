import { types } from 'node:util';
import { isObservable, type Observable } from 'rxjs';
import type { GevData } from '../core/connection.js';

/** Bytes or text: what can be sent. Under Jest a Buffer may be of another realm, hence not `instanceof` alone. */
export function isData(value: unknown): value is GevData {
  return typeof value === 'string' || value instanceof Uint8Array || types.isUint8Array(value);
}

/** An Observable. Bytes are ruled out first: they are the common case, and `isObservable` is slow to say no. */
export function isStream(value: unknown): value is Observable<unknown> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && isObservable(value);
}

/** A promise of whatever realm or library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
