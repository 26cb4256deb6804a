import { StringDecoder } from 'node:string_decoder';
import type { Frame, Framer } from './framer.js';

const MAX_DIGITS = 10;
const MAX_WHITE_SPACE = 16;
/** Bytes that a code unit takes at most. */
const MAX_UNIT_BYTES = 3;
/** Bytes that V8 spends on each piece of a text, and how many pieces a short one may have. */
const PIECE_COST = 32;
const MAX_PIECES = 64;
/** A rest up to this is copied, so that it does not keep all of the chunk that it came with. */
const MAX_COPIED_REST = 4096;
const HASH = 0x23;
const ZERO = 0x30;
const WHITE_SPACE = new Set([0x20, 0x0a, 0x0d, 0x09]);

/** Cuts `<length>#<text>` as native/protocol/nest_tcp_framer.h has it; the length is in UTF-16 code units. */
export class TextFramer implements Framer {
  private readonly decoder = new StringDecoder('utf8');
  private text = '';
  private pieces = 0; // that it was put together of since it was last made flat
  private at = 0;
  /** Code units of the frame whose header was read; -1: none was. */
  private wanted = -1;
  private header = 0; // its length, once it was read
  private skipped = 0;
  /** Bytes behind the header of a frame that is not complete; -1 while they cannot be too many. */
  private begun = -1;

  constructor(private readonly maxFrameLength: number) {}

  /** Code units of a frame that has begun; 0: none has. */
  get kept(): number {
    return this.header + this.text.length - this.at;
  }

  push(chunk: Buffer): void {
    const piece = this.decoder.write(chunk);
    this.text += piece;
    if (this.begun >= 0) this.begun += Buffer.byteLength(piece);
    // V8 keeps a long text as a tree of its pieces. Made flat each time it has grown by a share, tiny ones cost no more for it.
    if (++this.pieces * PIECE_COST < this.text.length + PIECE_COST * MAX_PIECES) return;
    this.pieces = 0;
    this.text.charCodeAt(0);
  }

  next(): Frame {
    if (this.wanted < 0) {
      const header = this.readHeader();
      if (header !== undefined) return header;
    }
    const { text, at, wanted } = this;
    const end = at + wanted;
    if (text.length < end) return this.begunFrame();
    if (wanted > 0 && isHighSurrogate(text.charCodeAt(end - 1))) {
      if (text.length === end) return this.rest();
      if (isLowSurrogate(text.charCodeAt(end))) return 'invalid'; // it would cut a character
    }
    const frame = text.substring(at, end);
    const bytes = Buffer.byteLength(frame);
    if (bytes > this.maxFrameLength) return { tooLong: bytes };
    this.at = end;
    this.wanted = this.begun = -1;
    this.header = 0;
    this.skipped = 0;
    return { text: frame, bytes };
  }

  /** Nothing of what was kept is wanted. */
  clear(): void {
    this.decoder.end();
    this.text = '';
    this.at = this.header = 0;
    this.wanted = this.begun = -1;
  }

  /** Reads `<length>#`. Returns why it could not. */
  private readHeader(): Frame | undefined {
    const { text } = this;
    for (; WHITE_SPACE.has(text.charCodeAt(this.at)); this.at++) {
      if (++this.skipped > MAX_WHITE_SPACE) return 'invalid';
    }
    let length = 0;
    let index = this.at;
    for (; index < text.length; index++) {
      const digit = text.charCodeAt(index) - ZERO;
      if (digit < 0 || digit > 9) break;
      if (index - this.at === MAX_DIGITS) return 'invalid';
      length = length * 10 + digit;
    }
    if (index === text.length) return this.rest();
    if (index === this.at) return { noBeginning: text.charCodeAt(index) };
    if (text.charCodeAt(index) !== HASH) return 'invalid';
    if (length > this.maxFrameLength) return { tooLong: length };
    this.wanted = length;
    this.header = index + 1 - this.at;
    this.at = index + 1;
    return undefined;
  }

  /** More of the frame is needed, unless its bytes are too many already, however few its code units are. */
  private begunFrame(): Frame {
    if (this.begun < 0 && this.wanted * MAX_UNIT_BYTES > this.maxFrameLength) {
      this.begun = Buffer.byteLength(this.text.substring(this.at));
    }
    return this.begun > this.maxFrameLength ? { tooLong: this.begun } : this.rest();
  }

  private rest(): 'incomplete' {
    if (this.at > 0) {
      const rest = this.text.substring(this.at);
      this.text = rest.length <= MAX_COPIED_REST ? Buffer.from(rest, 'utf16le').toString('utf16le') : rest;
      this.at = 0;
    }
    return 'incomplete';
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
