/** How the bytes of a number are ordered; `big` is network order. */
export type GevEndian = 'big' | 'little';

/** A rest up to this is copied, so that a few bytes do not keep the chunk alive that they came in. */
const COPIED_REST = 4096;

/**
 * Collects chunks, and reads fields of them in order. Every read is checked: past the end of what has come it throws, and
 * nothing is taken. `peek…` looks ahead without taking.
 *
 * For a framing of one's own; see {@link custom}.
 *
 * @example
 * ```ts
 * const reader = new ByteReader();
 * reader.push(chunk);
 * while (reader.has(2)) {
 *   const length = reader.peekLength(2, { max: 1024 });
 *   if (!reader.has(2 + length)) break; // more is needed
 *   reader.skip(2);
 *   yield reader.bytes(length);
 * }
 * ```
 * @publicApi
 */
export class ByteReader {
  private buffer: Buffer;
  private position = 0;
  private end: number;
  /** Memory of ours, with room behind `end`. What lies before is never moved: views of it were given away. */
  private owned = false;

  /** @param endian of all numbers; default: `'big'` */
  constructor(
    bytes: Uint8Array = Buffer.alloc(0),
    readonly endian: GevEndian = 'big',
  ) {
    this.buffer = viewOf(bytes);
    this.end = this.buffer.length;
  }

  /** Bytes that have come and were not taken. */
  get remaining(): number {
    return this.end - this.position;
  }

  /** Whether so many bytes are there to be taken. */
  has(count: number): boolean {
    return this.remaining >= count;
  }

  /** Appends what has come. The chunk must not change as long as bytes of it remain. */
  push(chunk: Uint8Array): void {
    const bytes = viewOf(chunk);
    if (this.remaining === 0) {
      this.buffer = bytes;
      this.position = 0;
      this.end = bytes.length;
      this.owned = false;
      return;
    }
    if (!this.owned || this.buffer.length - this.end < bytes.length) {
      this.own(Math.max(2 * this.remaining, this.remaining + bytes.length));
    }
    this.end += bytes.copy(this.buffer, this.end);
  }

  /** To be called when a chunk is done with: lets go of its memory, where only few bytes of it remain. */
  compact(): void {
    const rest = this.remaining;
    if (rest <= COPIED_REST && this.buffer.buffer.byteLength > COPIED_REST) this.own(rest);
  }

  /** The byte `offset` bytes ahead; undefined where none has come yet. */
  peek(offset = 0): number | undefined {
    return offset < this.remaining ? this.buffer[this.position + offset] : undefined;
  }

  /** Where these bytes begin, in bytes from here; -1 where they are not. */
  indexOf(bytes: Uint8Array | string | number): number {
    return this.buffer.subarray(this.position, this.end).indexOf(bytes);
  }

  /** An unsigned integer of 1 to 6 bytes. */
  uint(size: 1 | 2 | 3 | 4 | 5 | 6): number {
    const value = this.peekUint(size);
    this.position += size;
    return value;
  }

  /** As {@link uint}, `offset` bytes ahead, and nothing is taken. */
  peekUint(size: 1 | 2 | 3 | 4 | 5 | 6, offset = 0): number {
    const at = this.at(size, offset);
    return this.endian === 'big' ? this.buffer.readUIntBE(at, size) : this.buffer.readUIntLE(at, size);
  }

  /** A signed integer of 1 to 6 bytes. */
  int(size: 1 | 2 | 3 | 4 | 5 | 6): number {
    const at = this.at(size);
    const value = this.endian === 'big' ? this.buffer.readIntBE(at, size) : this.buffer.readIntLE(at, size);
    this.position += size;
    return value;
  }

  /** An unsigned integer of 8 bytes. */
  uint64(): bigint {
    const at = this.at(8);
    this.position += 8;
    return this.endian === 'big' ? this.buffer.readBigUInt64BE(at) : this.buffer.readBigUInt64LE(at);
  }

  /** A signed integer of 8 bytes. */
  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** A floating-point number of 4 or 8 bytes. */
  float(size: 4 | 8): number {
    const at = this.at(size);
    this.position += size;
    const { buffer } = this;
    if (size === 4) return this.endian === 'big' ? buffer.readFloatBE(at) : buffer.readFloatLE(at);
    return this.endian === 'big' ? buffer.readDoubleBE(at) : buffer.readDoubleLE(at);
  }

  /**
   * A length of 1 to 8 bytes.
   *
   * @throws RangeError above `max`: compared before it becomes a number that JavaScript cannot hold
   */
  length(size: 1 | 2 | 3 | 4 | 8, limit: { readonly max: number }): number {
    const value = this.peekLength(size, limit);
    this.position += size;
    return value;
  }

  /** As {@link length}, `offset` bytes ahead, and nothing is taken. */
  peekLength(size: 1 | 2 | 3 | 4 | 8, limit: { readonly max: number; readonly offset?: number }): number {
    const { max, offset = 0 } = limit;
    const at = this.at(size, offset);
    let value: number | bigint;
    if (size === 8) {
      value = this.endian === 'big' ? this.buffer.readBigUInt64BE(at) : this.buffer.readBigUInt64LE(at);
    } else {
      value = this.peekUint(size, offset);
    }
    if (value > max) throw new RangeError(`a length of ${value}, above the limit of ${max} bytes`);
    return Number(value);
  }

  /** A view of the next bytes. */
  bytes(count: number): Buffer {
    const at = this.at(count);
    this.position += count;
    return this.buffer.subarray(at, at + count);
  }

  /** The next bytes as text. */
  text(count: number, encoding: BufferEncoding = 'utf8'): string {
    return this.bytes(count).toString(encoding);
  }

  /** Leaves bytes out. */
  skip(count: number): void {
    this.at(count);
    this.position += count;
  }

  private own(size: number): void {
    const copy = Buffer.allocUnsafeSlow(size);
    this.end = this.buffer.copy(copy, 0, this.position, this.end);
    this.position = 0;
    this.buffer = copy;
    this.owned = true;
  }

  private at(count: number, offset = 0): number {
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`${count} is no number of bytes`);
    if (offset + count > this.remaining) {
      throw new RangeError(`${offset + count} bytes are needed, ${this.remaining} are there`);
    }
    return this.position + offset;
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
