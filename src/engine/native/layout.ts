import { endianness } from 'node:os';

/**
 * The memory that a reactor loop and JavaScript share: the mirror image of native/bridge/slab.h, which documents it.
 * Offsets and sizes in bytes. What a record asks for is an `Operation` of loop-port.ts.
 */

/** Numbers in slabs are in this machine's byte order: what DataView is to be told. */
export const LITTLE_ENDIAN = endianness() === 'LE';

export const SLAB_SIZE = 256 * 1024;
export const SLAB_HEADER = 64;

export const DESCRIPTOR_WORDS = 8;
export const DESCRIPTOR_CAPACITY = 256;
export const INBOUND_DATA = SLAB_HEADER + DESCRIPTOR_CAPACITY * DESCRIPTOR_WORDS * 4;

export const RECORD_HEADER = 16;

/** What a descriptor tells. */
export const EventKind = {
  Open: 1,
  Message: 2,
  Large: 3,
  End: 4,
  Drain: 5,
  Flushed: 6,
  Close: 7,
  Timer: 8,
  Quiesced: 9,
  Failure: 10,
  DialFailed: 11,
  Idle: 12,
  Text: 13,
  Secured: 15,
  Refused: 14,
  Proxied: 16,
} as const;

/** Words shared beside the slabs: whether a batch is being delivered, and each loop's open outbound slab. */
export const CONTROL_IN_BATCH = 0;
export const CONTROL_OPEN_SLAB = 1;
