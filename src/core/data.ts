import { GevHandlerError } from './errors.js';
import { isData, typeName } from './values.js';

/** What can be sent. Strings are sent as UTF-8. */
export type GevData = Buffer | Uint8Array | string;

/**
 * Refuses what types may have let through: its length would spoil the counters.
 *
 * @throws GevHandlerError
 */
export function assertData(data: unknown): asserts data is GevData {
  if (isData(data)) return;
  throw new GevHandlerError(
    `a ${typeName(data)} cannot be sent: give a Buffer, Uint8Array or string; bytes of another kind as Buffer.from(data)`,
  );
}

/** Data as the content of a frame. */
export function asText(data: GevData): string {
  if (typeof data === 'string') return data;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
}
