import { constants } from 'node:os';
import { FramePace } from '../engine/frame-pace.js';
import { inFreshScope } from '../engine/fresh-scope.js';
import type { GevFramer } from '../protocol/framing.js';
import type { GevData } from './data.js';
import { GevHandlerError, GevProtocolError } from './errors.js';
import { isData, typeName } from './values.js';

/** The frames of one connection, cut and made by a framer of the application's. */
export class CustomFrames {
  private received = 0;
  /** Bytes since the last frame ended, at most. */
  private unframed = 0;
  /** As the framer had it after the last chunk. */
  private incomplete: boolean | undefined;
  private paused = false;
  /** Watches for a frame that is late; set while there may be one. */
  private lookOut: (() => void) | undefined;
  private pace: FramePace | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly framer: GevFramer<unknown>,
    private readonly maxFrameLength: number,
  ) {
    const { decode, encode } = (framer ?? {}) as Partial<GevFramer<unknown>>;
    if (typeof decode !== 'function' || typeof encode !== 'function') {
      throw new GevHandlerError(
        'open() of custom() must return an object with the methods decode and encode',
      );
    }
  }

  /**
   * The frames that a chunk completes. Throws what the framer throws, and GevProtocolError where it goes on collecting for
   * longer than frames may be.
   */
  *decode(chunk: Buffer): Generator<unknown, void> {
    const { length } = chunk;
    this.received += length;
    let any = false;
    for (const frame of this.framer.decode(chunk)) {
      any = true;
      yield frame;
    }
    this.incomplete = this.framer.incomplete;
    this.unframed = any ? length : this.unframed + length;
    if (this.unframed > this.maxFrameLength && this.incomplete !== false) {
      throw new GevProtocolError(constants.errno.EMSGSIZE, this.maxFrameLength, this.unframed);
    }
  }

  /**
   * After a chunk: a frame that has begun must go on, as the engines have it of theirs.
   *
   * @param timeout ms of silence, or of less than 1 KiB/s, that are too long; 0: none are
   */
  watch(timeout: number, onSlow: (error: GevProtocolError) => void): void {
    if (this.incomplete !== true || timeout === 0) {
      this.stop();
      return;
    }
    this.lookOut ??= () => {
      const begun = this.timer === undefined;
      (this.pace ??= new FramePace()).update(this.unframed, begun, this.received);
      this.timer ??= this.lookAfter(timeout, timeout, onSlow);
    };
    if (!this.paused) this.lookOut();
  }

  /** Reading pauses: what does not come is not late. */
  pause(): void {
    this.paused = true;
    this.stopTimer();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.lookOut?.();
  }

  /** Nothing more is awaited. */
  stop(): void {
    this.lookOut = undefined;
    this.stopTimer();
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private lookAfter(
    delay: number,
    timeout: number,
    onSlow: (error: GevProtocolError) => void,
  ): NodeJS.Timeout {
    const look = (): void => {
      const now = performance.now();
      if (this.pace!.isTooSlow(now, timeout, this.received)) {
        onSlow(new GevProtocolError(constants.errno.ETIMEDOUT));
      } else {
        this.timer = this.lookAfter(this.pace!.deadline(timeout) - now, timeout, onSlow);
      }
    };
    return inFreshScope(() => setTimeout(look, Math.max(delay, 1)).unref());
  }

  encode(frame: unknown): GevData {
    const bytes: unknown = this.framer.encode(frame);
    if (isData(bytes)) return bytes;
    throw new GevHandlerError(
      `encode() must return the bytes of a frame, or text; it returned a ${typeName(bytes)}`,
    );
  }
}
