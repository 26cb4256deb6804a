import { isUtf8 } from 'node:buffer';

/** What a frame may hold at most. */
export interface FrameLimits {
  /** Arrays and maps within each other. */
  readonly maxDepth: number;
  /** Values, the keys of maps included. */
  readonly maxElements: number;
}

const NOTHING = new Uint8Array(0);
const TIMESTAMP = 0xff;
/** Strings up to this are looked through here: a native call costs more. */
const MAX_LOOPED_TEXT = 32;

/**
 * Looks through a frame before anything is made of it: that it is one value, whole, of what MessagePack has names for and JSON or
 * a Buffer can show, and timestamps. What it lets pass takes memory in proportion to its elements, and no code runs by it.
 * Allocates nothing.
 */
export class FrameCheck {
  /** By depth: how many values are still to come. */
  private readonly left: Uint32Array;
  private bytes: Uint8Array = NOTHING;
  private at = 0;
  private end = 0;
  private elements = 0;

  constructor(private readonly limits: FrameLimits) {
    this.left = new Uint32Array(limits.maxDepth + 1);
  }

  /** @throws RangeError that says what is wrong */
  check(frame: Uint8Array): void {
    this.bytes = frame;
    this.end = frame.length;
    this.at = 0;
    this.elements = 1;
    try {
      this.walk();
    } finally {
      this.bytes = NOTHING; // a frame is not to be kept in memory here
    }
  }

  /** Over one value and all that is in it. */
  private walk(): void {
    const { left } = this;
    let depth = 0;
    left[0] = 1;
    for (;;) {
      while (left[depth] === 0) {
        if (depth-- === 0) {
          if (this.at < this.end) throw new RangeError(`${this.end - this.at} bytes behind the value`);
          return;
        }
      }
      left[depth]!--;
      const values = this.value();
      if (values < 0) continue;
      if (depth === this.limits.maxDepth) throw new RangeError(`nested more than ${depth} deep`);
      left[++depth] = values;
    }
  }

  /** Steps over a value, or over the header of one that holds others. Returns how many of those there are, -1 for none. */
  private value(): number {
    const token = this.uint8();
    if (token < 0x80 || token >= 0xe0) return -1;
    if (token < 0x90) return this.open(2 * (token & 0x0f));
    if (token < 0xa0) return this.open(token & 0x0f);
    if (token < 0xc0) return this.text(token & 0x1f);
    switch (token) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return -1;
      case 0xc4:
        return this.skip(this.uint8());
      case 0xc5:
        return this.skip(this.uint16());
      case 0xc6:
        return this.skip(this.uint32());
      case 0xcc: // integers
      case 0xd0:
        return this.skip(1);
      case 0xcd:
      case 0xd1:
        return this.skip(2);
      case 0xce:
      case 0xd2:
      case 0xca: // float
        return this.skip(4);
      case 0xcf:
      case 0xd3:
      case 0xcb:
        return this.skip(8);
      case 0xd6:
        return this.timestamp(4);
      case 0xd7:
        return this.timestamp(8);
      case 0xc7:
        return this.timestamp(this.uint8());
      case 0xd9:
        return this.text(this.uint8());
      case 0xda:
        return this.text(this.uint16());
      case 0xdb:
        return this.text(this.uint32());
      case 0xdc:
        return this.open(this.uint16());
      case 0xdd:
        return this.open(this.uint32());
      case 0xde:
        return this.open(2 * this.uint16());
      case 0xdf:
        return this.open(2 * this.uint32());
      default:
        throw new RangeError(`a value of type 0x${token.toString(16)}`);
    }
  }

  /** Each value takes a byte at least, so that no more can come than there are bytes. */
  private open(values: number): number {
    this.elements += values;
    if (values > this.end - this.at) throw new RangeError('the end of the frame within a value');
    if (this.elements > this.limits.maxElements) {
      throw new RangeError(`more than ${this.limits.maxElements} elements`);
    }
    return values;
  }

  private text(length: number): number {
    const { bytes, at } = this;
    this.skip(length);
    if (length > MAX_LOOPED_TEXT) return this.utf8(at, at + length);
    for (let index = at; index < at + length; index++) {
      if (bytes[index]! > 0x7f) return this.utf8(at, at + length);
    }
    return -1;
  }

  private utf8(start: number, end: number): number {
    if (!isUtf8(this.bytes.subarray(start, end))) throw new RangeError('a string that is no UTF-8');
    return -1;
  }

  private timestamp(length: number): number {
    const type = this.uint8();
    const known = type === TIMESTAMP && (length === 4 || length === 8 || length === 12);
    if (!known) throw new RangeError(`an extension of type ${(type << 24) >> 24} and ${length} bytes`);
    return this.skip(length);
  }

  private skip(length: number): number {
    this.at += length;
    if (this.at > this.end) throw new RangeError('the end of the frame within a value');
    return -1;
  }

  private uint8(): number {
    if (this.at >= this.end) throw new RangeError('the end of the frame within a value');
    return this.bytes[this.at++]!;
  }

  private uint16(): number {
    return (this.uint8() << 8) | this.uint8();
  }

  private uint32(): number {
    return this.uint16() * 0x10000 + this.uint16();
  }
}
