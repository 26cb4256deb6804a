import { type GevCodec, type GevPacket, type GevReply, lengthField, packets } from 'nestjs-gev';
import { EXCEPTIONS } from './modbus.exception.js';

/** Bytes of the longest frame, header included. */
const MAX_FRAME = 260;
/** Transaction, protocol and length of 2 bytes each, the unit and the function of one. */
const HEADER = 8;
/** In the function code of a reply: what follows is an exception code. */
const IS_EXCEPTION = 0x80;

const PATTERNS = new Map([
  [3, 'read-holding-registers'],
  [6, 'write-single-register'],
  [16, 'write-multiple-registers'],
]);

/**
 * Modbus TCP: function codes are patterns, and handlers get and return what stands behind the function code. Requests of one
 * connection are answered one after another, in their order.
 */
export function modbus(): GevCodec {
  // The length counts what is behind it. Handlers of frames see all of it, and the length of what is sent is filled in.
  const frames = lengthField({ length: 2, offset: 4, strip: 0, maxLength: MAX_FRAME });
  return packets<Buffer>(frames, { name: 'modbus', read, write });
}

/** A packet keeps the header that its reply repeats as its id. */
function read(frame: Buffer): GevPacket {
  if (frame.length < HEADER) throw new Error(`a Modbus frame of ${frame.length} bytes has no function`);
  const protocol = frame.readUInt16BE(2);
  if (protocol !== 0) throw new Error(`protocol ${protocol} is not Modbus, which is 0`);
  const code = frame.readUInt8(HEADER - 1);
  return {
    pattern: PATTERNS.get(code) ?? `function-${code}`, // nobody handles those
    data: frame.subarray(HEADER),
    id: frame.subarray(0, HEADER),
  };
}

function write({ data, error }: GevReply, { pattern, id }: GevPacket): Buffer {
  const header = Buffer.from(id as Buffer);
  if (error === undefined) return Buffer.concat([header, data as Buffer]);
  header[HEADER - 1]! |= IS_EXCEPTION;
  return Buffer.concat([header, Buffer.from([exceptionCode(pattern, error)])]);
}

function exceptionCode(pattern: string, error: unknown): number {
  const { exception } = error as { readonly exception?: number };
  if (exception !== undefined) return exception;
  const known = Array.from(PATTERNS.values()).includes(pattern);
  return known ? EXCEPTIONS.serverDeviceFailure : EXCEPTIONS.illegalFunction;
}
