import type { FrameEnvelope } from '../engine/frame-envelope.js';
import { MAX_FRAME_HEADER } from '../engine/loop-port.js';
import { type GevError, GevFrameTooLongError, GevHandlerError } from './errors.js';

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

/** What is thrown for content that a frame cannot have. */
export function cannotEnclose(
  length: number,
  { minContent, maxContent }: FrameEnvelope,
  { longest, limits }: { readonly longest: number; readonly limits: FrameLimits },
): GevError {
  if (length > longest) return frameTooLong(length, limits);
  return new GevHandlerError(
    `${length} bytes cannot be sent: what the length field can tell, and has to be filled into, is ${minContent} to ${maxContent} bytes`,
  );
}
