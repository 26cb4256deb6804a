/** Bytes of one, of seven bits each, the lowest first. */
const MAX_BYTES = 5;

/** It has more bytes than it may, or ends with a zero that it does not need. */
export const INVALID_VARINT = -1;

/** Where the varint that begins at `at` ends; 0: not all of it is there. */
export function endOfVarint(bytes: Buffer, at: number): number {
  for (let i = 0; i < MAX_BYTES; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return 0;
    if (byte < 0x80) return byte === 0 && i > 0 ? INVALID_VARINT : at + i + 1;
  }
  return INVALID_VARINT;
}

export function readVarint(bytes: Buffer, at: number, end: number): number {
  let value = 0;
  for (let i = end - 1; i >= at; i--) value = value * 0x80 + (bytes[i]! & 0x7f);
  return value;
}
