import { ByteFramer } from './byte-framer.js';
import { frameOf, type Frame } from './framer.js';

const CARRIAGE_RETURN = 0x0d;

export interface DelimitedFramerOptions {
  /** 1 to 16 bytes. */
  readonly delimiter: Uint8Array;
  /** A carriage return in front of the delimiter is no part of the frame either. */
  readonly stripCarriageReturn: boolean;
  readonly maxFrameLength: number;
  readonly text: boolean;
}

/** Frames that end with a delimiter, which is no part of them: native/protocol/delimited_framer.h. */
export class DelimitedFramer extends ByteFramer {
  private readonly delimiter: Buffer;
  /** What is searched for: one byte is found faster as a number. */
  private readonly needle: Buffer | number;
  /** Bytes without a delimiter that may still become a frame. */
  private readonly maxUnended: number;

  constructor(private readonly options: DelimitedFramerOptions) {
    super();
    const { delimiter, stripCarriageReturn, maxFrameLength } = options;
    this.delimiter = Buffer.from(delimiter);
    this.needle = delimiter.length === 1 ? delimiter[0]! : this.delimiter;
    this.maxUnended = maxFrameLength + (stripCarriageReturn ? 1 : 0) + delimiter.length - 1;
  }

  next(): Frame {
    const across = this.findAcross();
    if (across !== -1) return this.endWithin(across);
    const end = this.chunk.indexOf(this.needle, this.at);
    if (end === -1) return this.awaitEnd();
    const content = this.take(end);
    this.at = end + this.delimiter.length;
    return this.frame(content);
  }

  /** Where in what is kept a delimiter begins whose end came with the chunk; -1: nowhere. */
  private findAcross(): number {
    const { start, delimiter } = this;
    const before = Math.min(start.length, delimiter.length - 1);
    if (before === 0) return -1;
    const from = start.length - before;
    const head = this.chunk.subarray(0, delimiter.length - 1);
    const found = Buffer.concat([start.bytes.subarray(from), head]).indexOf(delimiter);
    return found === -1 ? -1 : from + found;
  }

  /** Ends the frame that is kept, before the delimiter that begins in it. */
  private endWithin(end: number): Frame {
    this.at = end + this.delimiter.length - this.start.length;
    return this.frame(this.start.take().subarray(0, end));
  }

  private awaitEnd(): Frame {
    const length = this.start.length + this.chunk.length - this.at;
    if (length > this.maxUnended) return { tooLong: this.options.maxFrameLength + length - this.maxUnended };
    return this.keepRest();
  }

  private frame(content: Buffer): Frame {
    const { stripCarriageReturn, maxFrameLength, text } = this.options;
    const strips = stripCarriageReturn && content[content.length - 1] === CARRIAGE_RETURN;
    const data = strips ? content.subarray(0, -1) : content;
    return data.length > maxFrameLength ? { tooLong: data.length } : frameOf(data, text);
  }
}
