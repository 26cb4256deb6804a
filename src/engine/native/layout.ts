import { endianness } from 'node:os';

/**
 * The memory that a reactor loop and JavaScript share: the mirror image of native/bridge/slab.h, which documents it.
 * Offsets and sizes in bytes.
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
} as const;

/** What a record asks for. */
export const Operation = {
  Send: 1,
  Multicast: 2,
  Close: 3,
  ShutdownWrite: 4,
  Abort: 5,
  Pause: 6,
  Resume: 7,
  TimerStart: 8,
  TimerCancel: 9,
  TimerDone: 10,
  Quiesce: 11,
  CloseAll: 12,
  AbortAll: 13,
  Dial: 14,
  DialCancel: 15,
  SetIdleTimeout: 16,
  ExpireIdle: 17,
  RestartIdle: 18,
  RefuseInput: 19,
  Leave: 20,
} as const;

/** Argument of {@link Operation.Quiesce}: reading goes on. */
export const READ_ON = 1;

/** The greatest token of a dial; the smallest is 1. */
export const MAX_DIAL_TOKEN = 0xffffff;

/** The greatest id of a timer; the smallest is 1. */
export const MAX_TIMER_ID = 0x7fffffff;

/** Bits of a send record's argument. */
export const SendFlag = { NotifyFlushed: 1, NotifyDrained: 2 } as const;

/** Words shared beside the slabs: whether a batch is being delivered, and each loop's open outbound slab. */
export const CONTROL_IN_BATCH = 0;
export const CONTROL_OPEN_SLAB = 1;

/** Why a connection ended: the numbers of native/reactor/close_reason.h. */
export const CloseCode = {
  peer: 0,
  reset: 1,
  idle: 2,
  backpressure: 3,
  protocol: 4,
  limit: 5,
  local: 6,
  shutdown: 7,
  error: 8,
  handshake: 9,
  age: 10,
} as const;
