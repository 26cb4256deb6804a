import { constants } from 'node:os';
import type { CloseReason } from './close-reason.js';
import type { ReactorLimits } from './connection-loop.js';
import { GevBackpressureError, GevConnectionError, type GevError, GevProtocolError } from './errors.js';
import { systemErrorName } from './system-error.js';

const { EBADMSG, EMSGSIZE } = constants.errno;

/** Output that has grown over all limits in less has left the peer no time to read it. */
const FLOOD_MS = 100;

/** Output has been above the high-water mark, and is not down to the low-water mark yet. */
export interface Congestion {
  /** Since when, as performance.now() tells. */
  readonly since: number;
  /** Bytes written then. */
  readonly written: number;
}

/**
 * The error behind a close that the loop tells of.
 *
 * @param errno the system's, not 0
 * @param badFrame see {@link InboundListener.onClose}
 * @param mismatch how the peer speaks another codec
 */
export function closeErrorOf(
  reason: CloseReason | undefined,
  errno: number,
  badFrame: number,
  { maxFrameLength, maxPartialBytes, maxTotalSendBuffer }: ReactorLimits,
  mismatch: string | undefined,
): GevError {
  if (reason === 'protocol') {
    if (mismatch !== undefined)
      return new GevProtocolError(EBADMSG, undefined, undefined, new Error(mismatch));
    return errno === EMSGSIZE
      ? new GevProtocolError(errno, maxFrameLength, badFrame)
      : new GevProtocolError(errno, maxPartialBytes);
  }
  if (reason === 'backpressure') {
    return new GevBackpressureError(
      `More than maxTotalSendBuffer (${maxTotalSendBuffer} bytes) waited for all peers, and most of it for this one`,
      { errno },
    );
  }
  return new GevConnectionError(systemErrorName(errno), undefined, { errno });
}

/**
 * The error of output above `maxSendBuffer`. By whose fault: a peer that had no time to read is not to blame.
 *
 * @param written bytes written by now
 */
export function overflowError(
  maxSendBuffer: number,
  congestion: Congestion | undefined,
  written: number,
): GevBackpressureError {
  const bytes = `maxSendBuffer (${maxSendBuffer} bytes)`;
  const waited = congestion === undefined ? 0 : performance.now() - congestion.since;
  if (congestion === undefined || waited < FLOOD_MS) {
    return new GevBackpressureError(
      `More than ${bytes} was sent at once: wait for drain$ when send() returns false, or raise maxSendBuffer`,
    );
  }
  const how = written > congestion.written ? 'reads too slowly' : 'does not read';
  return new GevBackpressureError(
    `More than ${bytes} waited for a peer that ${how}: output has been above highWaterMark for ${Math.round(waited)} ms`,
  );
}

/** The error of what a framing, or the format of its packets, has thrown. */
export function framingError(error: unknown): GevProtocolError {
  if (error instanceof GevProtocolError) return error;
  return new GevProtocolError(constants.errno.EBADMSG, undefined, undefined, error);
}
