import { FrameStart } from './frame-start.js';
import type { Frame, Framer } from './framer.js';

const NOTHING = Buffer.alloc(0);

/** What framers have in common that cut bytes: the chunk that is being cut, and the start of a frame that earlier ones brought. */
export abstract class ByteFramer implements Framer {
  protected readonly start = new FrameStart();
  protected chunk: Buffer = NOTHING;
  /** Where in the chunk what was not taken begins. */
  protected at = 0;

  get kept(): number {
    return this.start.length;
  }

  push(chunk: Buffer): void {
    this.chunk = chunk;
    this.at = 0;
  }

  abstract next(): Frame;

  clear(): void {
    this.start.clear();
    this.push(NOTHING);
  }

  /** Adds the chunk's bytes up to `end` to the start of the frame. */
  protected keep(end: number): void {
    if (end > this.at) this.start.append(this.chunk, this.at, end);
    this.at = end;
  }

  /** Keeps what is left of the chunk, as a copy: the chunk itself may go. */
  protected keepRest(): 'incomplete' {
    this.keep(this.chunk.length);
    this.push(NOTHING);
    return 'incomplete';
  }

  /** The frame that ends in the chunk at `end`: a part of the chunk if it began there. */
  protected take(end: number): Buffer {
    if (this.start.length > 0) {
      this.keep(end);
      return this.start.take();
    }
    const frame = this.chunk.subarray(this.at, end);
    this.at = end;
    return frame;
  }
}
