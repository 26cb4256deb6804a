import { crcItu } from './crc-itu.js';

/** The protocol numbers that this gateway knows: what a frame is about. */
export const PROTOCOL = {
  login: 0x01,
  position: 0x12,
  heartbeat: 0x13,
  acknowledgement: 0x15,
  longAcknowledgement: 0x21,
  positionWithStatus: 0x22,
  command: 0x80,
} as const;

/** What stands between the start and the stop of a frame, without its length and its check sum. */
export interface Gt06Frame {
  readonly protocol: number;
  readonly content: Buffer;
  /** Counts the frames of whoever sends it; an answer repeats that of what it answers. 0 to 65535. */
  readonly serial: number;
}

/** Starts a frame whose length has one byte; with {@link LONG_START} it has two. Both come on one connection. */
export const SHORT_START = 0x7878;
export const LONG_START = 0x7979;
export const STOP = 0x0d0a;

/** Bytes that the length counts beside the content: protocol number, serial number and check sum. */
export const AROUND_CONTENT = 1 + 2 + 2;

/** The bytes of a frame, with the short start where it fits. */
export function encodeFrame({ protocol, content, serial }: Gt06Frame): Buffer {
  const length = content.length + AROUND_CONTENT;
  const isShort = length <= 0xff;
  const lengthBytes = isShort ? 1 : 2;
  const frame = Buffer.alloc(2 + lengthBytes + length + 2);
  let at = frame.writeUInt16BE(isShort ? SHORT_START : LONG_START);
  at = frame.writeUIntBE(length, at, lengthBytes);
  at = frame.writeUInt8(protocol, at);
  at += content.copy(frame, at);
  at = frame.writeUInt16BE(serial, at);
  at = frame.writeUInt16BE(crcItu(frame.subarray(2, at)), at);
  frame.writeUInt16BE(STOP, at);
  return frame;
}
