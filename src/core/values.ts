import { types } from 'node:util';

/** A promise of whatever realm or library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/**
 * What may be waited for, as a promise, which settles once however it was made; undefined for anything else. A `then` that
 * throws when it is read throws here.
 */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  return isThenable(value) ? Promise.resolve(value) : undefined;
}

/** Bytes or text: what can be sent. Under Jest a Buffer may be of another realm, hence not `instanceof` alone. */
export function isData(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array || types.isUint8Array(value);
}

/** What a value is, in a message: `Number`, `Array`, `ArrayBuffer`… */
export function typeName(value: unknown): string {
  try {
    return Object.prototype.toString.call(value).slice(8, -1);
  } catch {
    return 'revoked Proxy';
  }
}
