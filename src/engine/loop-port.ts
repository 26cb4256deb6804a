import type { FixedText } from './fixed-text.js';
import type { FrameEnvelope } from './frame-envelope.js';

/** What a loop can be asked for: the numbers of native/bridge/slab.h, which documents them. */
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

/** Bits of the flags of a send. */
export const SendFlag = { NotifyFlushed: 1, NotifyDrained: 2 } as const;

/** A broadcast's payload up to this is shared by many receivers in one record. */
export const MAX_SHARED_PAYLOAD = 64 * 1024;

/** Bytes of a dial's address or path: more than any system's sockaddr takes. */
export const MAX_ADDRESS_LENGTH = 1024;

/** Digits of a frame's length, and the '#'. */
export const MAX_FRAME_HEADER = 11;

/** What frames are made of. */
export type FramePiece = string | FixedText;

/** What one loop can be told. Nothing of it happens before the promise jobs of the current turn are done; all in order. */
export interface LoopPort {
  /** Copies `data` for a connection. `flags`: bits of SendFlag. */
  send(slot: number, generation: number, data: Uint8Array, flags: number): void;
  /** As send(), of a string whose UTF-8 length is known. */
  sendText(slot: number, generation: number, text: string, length: number, flags: number): void;
  /**
   * Sends `<length>#<text>`, the text in pieces; the length is in UTF-16 code units.
   *
   * @returns the bytes of it all; those of the text alone, negative, when it is too long, and then nothing was sent
   */
  sendFrame(slot: number, generation: number, pieces: readonly FramePiece[], flags: number): number;
  /**
   * Sends the frame that `envelope` makes of `data`.
   *
   * @returns the bytes of it all; those of the data alone, negative, when it is too long, and 0 when it is too short, and
   * then nothing was sent
   */
  sendEnclosed(
    slot: number,
    generation: number,
    envelope: FrameEnvelope,
    data: Uint8Array | string,
    flags: number,
  ): number;
  /** The same payload (MAX_SHARED_PAYLOAD at most) for several connections: slot and generation of each in turn. */
  multicast(data: Uint8Array, receivers: readonly number[]): void;
  /** One of `Operation` that has no payload. */
  command(operation: number, slot?: number, generation?: number, argument?: number): void;
  /** `ms` 0: never. */
  setIdleTimeout(slot: number, generation: number, ms: number): void;
  /** `ms` without a byte received, after which the loop asks whether it may close; `reason`: a number of one. */
  leave(slot: number, generation: number, ms: number, reason: number): void;
  /** In ms; `interval` 0: once. */
  startTimer(id: number, delay: number, interval: number): void;
  /**
   * Connects to a numeric address, or with port -1 to the Unix socket at that path. `timeout` in ms; 0: none. `servername`:
   * what is asked for where `dialTls` is spoken; may be empty.
   */
  dial(token: number, timeout: number, port: number, address: string, servername?: string): void;
}
