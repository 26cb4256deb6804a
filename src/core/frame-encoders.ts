import type { DelimitedFraming, LengthFieldFraming } from '../protocol/framing.js';
import type { GevData } from './data.js';
import { GevHandlerError } from './errors.js';
import { prefixesLength } from './resolve-codec.js';

const NOTHING = new Uint8Array(0);

/** What stands around the content of a frame. Valid until the next call. */
export interface Envelope {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** Makes frames of what is sent. Shared by all connections of a listener; knows nothing of any. */
export interface FrameEncoder {
  /** Bytes that frames have beside their content, at most. */
  readonly overhead: number;
  /** The content, as bytes or as text that goes out as UTF-8. Throws GevHandlerError for what cannot be a frame. */
  content(data: GevData): GevData;
  /** What stands around content of that many bytes. */
  envelope(length: number): Envelope;
}

/** Puts a delimiter behind each frame. */
export class DelimitedEncoder implements FrameEncoder {
  readonly overhead: number;
  private readonly encoding: BufferEncoding;
  private readonly around: Envelope;

  constructor({ delimiter, encoding }: DelimitedFraming) {
    const tail = typeof delimiter === 'string' ? Buffer.from(delimiter) : Uint8Array.from(delimiter);
    this.around = { head: NOTHING, tail };
    this.overhead = tail.length;
    this.encoding = encoding ?? 'utf8';
  }

  content(data: GevData): GevData {
    return inEncoding(data, this.encoding);
  }

  envelope(): Envelope {
    return this.around;
  }
}

/** Puts the length in front of each frame. */
export class LengthPrefixEncoder implements FrameEncoder {
  readonly overhead: number;
  private readonly encoding: BufferEncoding;
  private readonly scratch: Buffer;
  private readonly heads: readonly Buffer[];
  private readonly around: { head: Uint8Array; readonly tail: Uint8Array };

  constructor(private readonly framing: LengthFieldFraming) {
    this.overhead = framing.length === 'varint' ? 10 : framing.length;
    this.encoding = framing.encoding ?? 'utf8';
    this.scratch = Buffer.alloc(this.overhead);
    // Views by their length: a varint's differs.
    this.heads = Array.from({ length: this.overhead + 1 }, (_, size) => this.scratch.subarray(0, size));
    this.around = { head: this.scratch, tail: NOTHING };
  }

  content(data: GevData): GevData {
    return inEncoding(data, this.encoding);
  }

  envelope(length: number): Envelope {
    const { adjustment, includesHeader, length: size } = this.framing;
    if (size === 'varint') {
      this.around.head = this.heads[writeVarint(this.scratch, length, adjustment, includesHeader)]!;
    } else {
      writeLength(this.scratch, 0, this.framing, length - adjustment + (includesHeader ? size : 0));
    }
    return this.around;
  }
}

/** Fills in the length of whole frames. */
export class LengthPatchEncoder implements FrameEncoder {
  readonly overhead = 0;
  private readonly around: Envelope = { head: NOTHING, tail: NOTHING };

  constructor(private readonly framing: LengthFieldFraming) {}

  content(data: GevData): GevData {
    const { offset, length, adjustment, includesHeader, encoding } = this.framing;
    const frame = typeof data === 'string' ? Buffer.from(data, encoding) : Buffer.from(data);
    const end = offset + (length as number);
    if (frame.length < end) {
      throw new GevHandlerError(
        `A frame of ${frame.length} bytes cannot be sent: its length is filled in at byte ${offset}, so that it needs ${end}`,
      );
    }
    writeLength(frame, offset, this.framing, frame.length - (includesHeader ? 0 : end) - adjustment);
    return frame;
  }

  envelope(): Envelope {
    return this.around;
  }
}

/** Has a function of the application make whole frames. */
export class FunctionEncoder implements FrameEncoder {
  readonly overhead = 0;
  private readonly around: Envelope = { head: NOTHING, tail: NOTHING };

  constructor(
    private readonly encode: (frame: Buffer) => Uint8Array,
    private readonly encoding: BufferEncoding | undefined,
  ) {}

  content(data: GevData): GevData {
    const frame: unknown = this.encode(asBuffer(data, this.encoding));
    if (frame instanceof Uint8Array) return frame;
    throw new GevHandlerError('encode() must return the bytes of a frame, a Buffer or Uint8Array');
  }

  envelope(): Envelope {
    return this.around;
  }
}

export function lengthFieldEncoder(framing: LengthFieldFraming): FrameEncoder {
  if (framing.encode !== undefined) return new FunctionEncoder(framing.encode, framing.encoding);
  return prefixesLength(framing) ? new LengthPrefixEncoder(framing) : new LengthPatchEncoder(framing);
}

function asBuffer(data: GevData, encoding: BufferEncoding | undefined): Buffer {
  if (typeof data === 'string') return Buffer.from(data, encoding);
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function inEncoding(data: GevData, encoding: BufferEncoding): GevData {
  return typeof data !== 'string' || encoding === 'utf8' || encoding === 'utf-8'
    ? data
    : Buffer.from(data, encoding);
}

function writeLength(
  to: Buffer,
  at: number,
  { length: size, endian }: LengthFieldFraming,
  value: number,
): void {
  const most = size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * (size as number)) - 1;
  if (value < 0 || value > most) {
    throw new GevHandlerError(
      `A frame cannot be sent: its length would be written as ${value}, and a field of ${size} bytes holds 0 to ${most}`,
    );
  }
  const bytes = size as number;
  for (let index = 0, rest = value; index < bytes; index++, rest = Math.floor(rest / 256)) {
    to[endian === 'big' ? at + bytes - 1 - index : at + index] = rest % 256;
  }
}

/** Returns the bytes written. A varint that counts itself is as long as makes that true. */
function writeVarint(to: Buffer, length: number, adjustment: number, includesHeader: boolean): number {
  let size = 1;
  let value = length - adjustment + (includesHeader ? size : 0);
  if (value < 0) throw new GevHandlerError(`A frame cannot be sent: its length would be written as ${value}`);
  while (value >= 128 ** size) {
    size++;
    if (includesHeader) value++;
  }
  for (let index = 0, rest = value; index < size; index++, rest = Math.floor(rest / 128)) {
    to[index] = (rest % 128) | (index < size - 1 ? 0x80 : 0);
  }
  return size;
}
