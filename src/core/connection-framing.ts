import type { GevCodec } from '../protocol/codec.js';
import type { CustomFraming, GevFraming } from '../protocol/framing.js';
import type { GevConnection } from './connection.js';
import { CustomFrames } from './custom-frames.js';
import { DelimitedEncoder, type FrameEncoder, lengthFieldEncoder } from './frame-encoders.js';
import { type FrameLimits, longestFrame } from './frame-limits.js';

/** How frames are read and written, as far as it is not the engine's. One for all connections of a listener. */
export interface ConnectionFraming {
  readonly kind: GevFraming['kind'];
  /** What is sent is the content of a frame of Nest's. */
  readonly isNestTcp: boolean;
  /** Makes frames of what is sent; undefined: the bytes go as they are, or the engine frames them. */
  readonly encoder: FrameEncoder | undefined;
  /** Bytes of a frame's content, in and out; the longest that may be sent is {@link longest}. */
  readonly limits: FrameLimits;
  readonly longest: number;
  /** Frames that come as Buffers are text of this encoding; undefined: they are Buffers, or the engine makes them text. */
  readonly encoding: BufferEncoding | undefined;
  /** What the application frames by itself, on that connection; undefined: the engine does. May throw what the application throws. */
  open(connection: GevConnection<object>): CustomFrames | undefined;
}

/** @param limits of the reactor */
export function framingOf({ framing }: GevCodec, limits: FrameLimits): ConnectionFraming {
  const { kind } = framing;
  const common = { kind, isNestTcp: kind === 'nest-tcp', limits, encoder: undefined, encoding: undefined };
  const open = (): undefined => undefined;
  switch (framing.kind) {
    case 'raw':
    case 'nest-tcp':
      return { ...common, longest: kind === 'raw' ? Infinity : longestFrame(limits), open };
    case 'delimited':
    case 'length-field': {
      const encoder =
        framing.kind === 'delimited' ? new DelimitedEncoder(framing) : lengthFieldEncoder(framing);
      const { encoding, maxLength = limits.maxFrameLength } = framing;
      const own = { ...limits, maxFrameLength: Math.min(maxLength, limits.maxFrameLength) };
      const longest = Math.min(own.maxFrameLength, limits.maxSendBuffer - encoder.overhead);
      return {
        ...common,
        encoder,
        longest,
        limits: own,
        encoding: isUtf8(encoding) ? undefined : encoding,
        open,
      };
    }
    case 'custom': {
      const { open: makeFramer } = framing as unknown as CustomFraming<unknown>;
      return {
        ...common,
        longest: limits.maxSendBuffer,
        open: (connection) => new CustomFrames(makeFramer(connection), limits.maxFrameLength),
      };
    }
  }
}

/** Engines make UTF-8 text of frames by themselves. */
export function isUtf8(encoding: BufferEncoding | undefined): boolean {
  return encoding === 'utf8' || encoding === 'utf-8';
}
