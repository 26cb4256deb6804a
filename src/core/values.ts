import { types } from 'node:util';

/** A promise of whatever realm or library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/** Bytes or text: what can be sent. Under Jest a Buffer may be of another realm, hence not `instanceof` alone. */
export function isData(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array || types.isUint8Array(value);
}

/** What a value is, in a message: `Number`, `Array`, `ArrayBuffer`… */
export function typeName(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
