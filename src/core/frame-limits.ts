import { GevFrameTooLongError } from './errors.js';
import { MAX_FRAME_HEADER } from '../engine/loop-port.js';

/** Options that bound one frame on its way out; in bytes. */
export interface FrameLimits {
  readonly maxFrameLength: number;
  readonly maxSendBuffer: number;
}

/** The longest content of a frame that may be sent. What `maxSendBuffer` has no room for would cost the connection. */
export function longestFrame({ maxFrameLength, maxSendBuffer }: FrameLimits): number {
  return Math.max(0, Math.min(maxFrameLength, maxSendBuffer - MAX_FRAME_HEADER));
}

/** What is thrown for a frame that is longer. */
export function frameTooLong(
  length: number,
  { maxFrameLength, maxSendBuffer }: FrameLimits,
): GevFrameTooLongError {
  return length > maxFrameLength
    ? new GevFrameTooLongError(length, maxFrameLength)
    : new GevFrameTooLongError(length, maxSendBuffer, 'maxSendBuffer');
}
