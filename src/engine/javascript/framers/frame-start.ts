const EMPTY = Buffer.alloc(0);
const LEAST = 64;

/**
 * The start of a frame whose end has not come. It is a copy, so that it does not keep all of the chunk that it came with, and has
 * no more memory than twice what has come, whatever length is announced.
 */
export class FrameStart {
  length = 0;
  private memory = EMPTY;

  /** What there is; valid until the next call. */
  get bytes(): Buffer {
    return this.memory.subarray(0, this.length);
  }

  append(source: Buffer, from: number, to: number): void {
    const length = this.length + to - from;
    if (length > this.memory.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, 2 * this.memory.length, LEAST));
      this.memory.copy(grown, 0, 0, this.length);
      this.memory = grown;
    }
    source.copy(this.memory, this.length, from, to);
    this.length = length;
  }

  /** What there is, the caller's now. */
  take(): Buffer {
    const { bytes } = this;
    this.clear();
    return bytes;
  }

  clear(): void {
    this.memory = EMPTY;
    this.length = 0;
  }
}
