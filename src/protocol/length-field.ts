import type { GevEndian } from './byte-reader.js';
import { type GevCodec, unknownOptions } from './codec.js';
import type { LengthFieldFraming } from './framing.js';

/** Options of {@link lengthField}. */
export interface LengthFieldOptions {
  /** Bytes of the length field, which is unsigned; `'varint'`: 7 bits a byte, the low ones first. Default: 4. */
  readonly length?: 1 | 2 | 3 | 4 | 8 | 'varint';
  /** Default: `'big'`, network order. */
  readonly endian?: GevEndian;
  /** Bytes in front of the length field, 0 to 65535. Default: 0. */
  readonly offset?: number;
  /** Added to what the field says, to make it the bytes behind the field. Default: 0. */
  readonly adjustment?: number;
  /** The field counts what is in front of its own end as well. Default: false. */
  readonly includesHeader?: boolean;
  /**
   * Bytes at the front of a frame that handlers do not get, 0 to 65535. `'header'`: all up to the end of the length field;
   * 0: handlers get whole frames. Default: `'header'`.
   */
  readonly strip?: number | 'header';
  /** Bytes of what handlers get; a longer frame ends the connection, reason `protocol`. Default: the server's `maxFrameLength`. */
  readonly maxLength?: number;
  /** Handlers get text of this encoding, and strings are sent in it. Default: `null`, they get Buffers. */
  readonly encoding?: BufferEncoding | null;
  /**
   * Makes the whole frame of what is sent. Not needed where the length is put in front of it (`offset` 0 and the header
   * stripped), nor where whole frames are sent, whose length is filled in (`strip` 0, no varint). It gets what is sent itself,
   * not a copy, and must not change it.
   */
  readonly encode?: (frame: Buffer) => Uint8Array;
}

const OPTIONS = ['length', 'endian', 'offset', 'adjustment', 'includesHeader', 'strip', 'maxLength'];

/**
 * Frames that say how long they are, in Netty's words: a length field of `length` bytes stands behind `offset` bytes, and
 * counts what comes behind it, `adjustment` bytes less.
 *
 * @example
 * ```ts
 * new GevServer({ port: 1833, codec: lengthField() }); // 4 bytes in network order, then so many bytes
 * new GevServer({ port: 502, codec: lengthField({ length: 2, offset: 4, strip: 0 }) }); // Modbus TCP, whole frames
 * ```
 * @publicApi
 */
export function lengthField(options: LengthFieldOptions = {}): GevCodec {
  const framing: LengthFieldFraming = {
    kind: 'length-field',
    length: options.length ?? 4,
    endian: options.endian ?? 'big',
    offset: options.offset ?? 0,
    adjustment: options.adjustment ?? 0,
    includesHeader: options.includesHeader ?? false,
    strip: options.strip ?? 'header',
    maxLength: options.maxLength,
    encoding: options.encoding ?? undefined,
    encode: options.encode,
  };
  const unknown = unknownOptions(options, [...OPTIONS, 'encoding', 'encode']);
  return Object.freeze({ name: 'length-field', framing, concurrency: 1, ...unknown });
}
