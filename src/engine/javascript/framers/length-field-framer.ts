import type { EngineLengthField } from '../../engine-options.js';
import { ByteFramer } from './byte-framer.js';
import { frameOf, type Frame } from './framer.js';
import { endOfVarint, INVALID_VARINT, readVarint } from './varint.js';

export interface LengthFieldFramerOptions {
  readonly field: EngineLengthField;
  readonly maxFrameLength: number;
  readonly text: boolean;
}

/** Frames in whose header a field tells how long they are: native/protocol/length_field_framer.h. */
export class LengthFieldFramer extends ByteFramer {
  /** Bytes of the whole frame; -1: its header is not read. */
  private total = -1;
  /** Of those, the ones at the front that are not delivered. */
  private strip = 0;

  constructor(private readonly options: LengthFieldFramerOptions) {
    super();
  }

  next(): Frame {
    if (this.total === -1) {
      const problem = this.options.field.size === 0 ? this.readVarintHeader() : this.readFixedHeader();
      if (problem !== undefined) return problem;
    }
    const end = this.at + this.total - this.start.length;
    if (end > this.chunk.length) return this.keepRest();
    this.total = -1;
    return frameOf(this.take(end).subarray(this.strip), this.options.text);
  }

  override clear(): void {
    super.clear();
    this.total = -1;
  }

  /** Learns how long the frame is. Returns why it could not. */
  private readFixedHeader(): Frame | undefined {
    const { chunk, at, start } = this;
    const { offset, size } = this.options.field;
    const header = offset + size;
    if (start.length === 0 && at + header <= chunk.length)
      return this.measure(this.unsigned(chunk, at + offset), header);
    if (at + header - start.length > chunk.length) return this.keepRest();
    this.keep(at + header - start.length);
    return this.measure(this.unsigned(start.bytes, offset), header);
  }

  private readVarintHeader(): Frame | undefined {
    const { chunk, at, start } = this;
    const { offset } = this.options.field;
    if (start.length === 0) {
      const end = endOfVarint(chunk, at + offset);
      if (end === INVALID_VARINT) return 'invalid';
      return end === 0 ? this.keepRest() : this.measure(readVarint(chunk, at + offset, end), end - at);
    }
    while (this.at < chunk.length) {
      // The field byte by byte: what comes behind it is of this frame or the next one.
      this.keep(
        start.length < offset ? Math.min(this.at + offset - start.length, chunk.length) : this.at + 1,
      );
      const end = endOfVarint(start.bytes, offset);
      if (end === INVALID_VARINT) return 'invalid';
      if (end > 0) return this.measure(readVarint(start.bytes, offset, end), end);
    }
    return this.keepRest();
  }

  /** A number above 2 ** 53 loses its last bits here, and is too long with or without them. */
  private unsigned(bytes: Buffer, at: number): number {
    const { size, littleEndian } = this.options.field;
    if (size < 8) return littleEndian ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
    return littleEndian
      ? bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32
      : bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  }

  private measure(length: number, header: number): Frame | undefined {
    const { adjustment, includesHeader, strip } = this.options.field;
    const total = length + adjustment + (includesHeader ? 0 : header);
    const stripped = strip === -1 ? header : strip;
    if (total < header || total < stripped) return 'invalid';
    if (total - stripped > this.options.maxFrameLength) return { tooLong: total - stripped };
    this.total = total;
    this.strip = stripped;
    return undefined;
  }
}
