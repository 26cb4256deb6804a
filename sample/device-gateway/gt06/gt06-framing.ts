import { ByteReader, custom, type GevCodec } from 'nestjs-gev';
import { crcItu } from './crc-itu.js';
import { AROUND_CONTENT, encodeFrame, type Gt06Frame, LONG_START, SHORT_START, STOP } from './gt06-frame.js';

/** Bytes of a frame's content and what is counted with it; the longest that a device sends has some 1,000. */
const MAX_LENGTH = 2_048;

/**
 * Bytes into frames, and back. What does not begin or end as a frame ends the connection. A frame whose check sum is wrong is left
 * out, as the protocol has it: its sender, who gets no answer, sends it again.
 */
export function gt06Framing(): GevCodec {
  return custom<Gt06Frame>({
    open() {
      const reader = new ByteReader();
      return {
        *decode(chunk) {
          reader.push(chunk);
          for (let size = sizeOf(reader); size !== undefined; size = sizeOf(reader)) {
            const frame = readFrame(reader.bytes(size));
            if (frame !== undefined) yield frame;
          }
          reader.compact();
        },
        encode: encodeFrame,
        get incomplete() {
          return reader.remaining > 0;
        },
      };
    },
  });
}

/** How long the next frame is; undefined where not all of it has come. */
function sizeOf(reader: ByteReader): number | undefined {
  if (!reader.has(2)) return undefined;
  const start = reader.peekUint(2);
  if (start !== SHORT_START && start !== LONG_START)
    throw new Error(`0x${start.toString(16)} starts no frame`);
  const lengthBytes = start === SHORT_START ? 1 : 2;
  if (!reader.has(2 + lengthBytes)) return undefined;
  const length = reader.peekLength(lengthBytes, { max: MAX_LENGTH, offset: 2 });
  if (length < AROUND_CONTENT) throw new Error(`a length of ${length} is that of no frame`);
  const size = 2 + lengthBytes + length + 2;
  return reader.has(size) ? size : undefined;
}

/** Undefined where the check sum is wrong. */
function readFrame(bytes: Buffer): Gt06Frame | undefined {
  const end = bytes.length - 2;
  if (bytes.readUInt16BE(end) !== STOP) throw new Error('a frame does not stop where its length says');
  if (bytes.readUInt16BE(end - 2) !== crcItu(bytes.subarray(2, end - 2))) return undefined;
  const begin = bytes.readUInt16BE(0) === SHORT_START ? 3 : 4;
  return {
    protocol: bytes.readUInt8(begin),
    content: bytes.subarray(begin + 1, end - 4),
    serial: bytes.readUInt16BE(end - 4),
  };
}
