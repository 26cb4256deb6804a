import type { CloseReason } from './close-reason.js';
import { GevError, type GevErrorDetails } from './errors.js';

/**
 * There is no connection, and the request may not wait for one. `cause` is why the last attempt failed.
 *
 * @publicApi
 */
export class GevNotConnectedError extends GevError {
  constructor(
    message = 'Not connected, and the next attempt is not due yet: try again later, or let requests wait with offlineQueue',
    details?: GevErrorDetails,
  ) {
    super('ERR_GEV_NOT_CONNECTED', message, details);
  }
}

/**
 * The connection was lost before the reply came: whether the request was handled is not known. `cause` is the system's
 * error, where there was one.
 *
 * @publicApi
 */
export class GevConnectionLostError extends GevError {
  constructor(
    /** Where the connection led: `host:port` or a path. */
    readonly endpoint: string,
    /** How it ended. */
    readonly reason: CloseReason,
    details?: GevErrorDetails,
  ) {
    super(
      'ERR_GEV_CONNECTION_LOST',
      `The connection to ${endpoint} was lost (${reason}) before the reply came: repeat the request if it may be handled twice`,
      details,
    );
  }
}

/**
 * Client and server speak different codecs, so that nothing that was sent has been read. `cause` is the system's error, where there was
 * one. The client goes on trying: the server may be replaced.
 *
 * @publicApi
 */
export class GevCodecMismatchError extends GevError {
  constructor(
    /** Where the connection led: `host:port` or a path. */
    readonly endpoint: string,
    /** What the client speaks. */
    readonly codec: string,
    /** What is known of the server. */
    what: string,
    details?: GevErrorDetails,
  ) {
    super('ERR_GEV_CODEC_MISMATCH', `${endpoint} does not speak ${codec}: ${what}`, details);
  }
}

/**
 * No reply came in time; one that still comes is dropped. Or an event found no connection in time.
 *
 * @publicApi
 */
export class GevTimeoutError extends GevError {
  constructor(
    /** What was asked for. */
    readonly pattern: unknown,
    /** How long was waited, in milliseconds. */
    readonly ms: number,
    missed: 'reply to' | 'connection for' = 'reply to',
    message?: string,
  ) {
    super(
      'ERR_GEV_TIMEOUT',
      message ??
        `No ${missed} ${nameOf(pattern)} within ${ms} ms: see what keeps the server, or raise requestTimeout`,
    );
  }
}

/**
 * The server has refused a request: it has as many in flight as it takes (`concurrency`, `maxInFlight`), and for two seconds
 * none of them ended. The request was not begun, so it may be sent again, later; the client does so where {@link GevRecordBuilder.setRetry} says so.
 * Of `conn.request()`: the connection has all the requests in flight that it may have, and this one was not sent.
 *
 * @publicApi
 */
export class GevOverloadedError extends GevError {
  /** The request was not begun. */
  readonly retryable = true;

  constructor(
    endpoint: string,
    details?: GevErrorDetails,
    message = `${endpoint} is overloaded: send the request again later, or fewer at a time`,
  ) {
    super('ERR_GEV_OVERLOADED', message, details);
  }
}

/**
 * The client was closed before the reply came.
 *
 * @publicApi
 */
export class GevClientClosedError extends GevError {
  constructor(message = 'The client was closed before the reply came', details?: GevErrorDetails) {
    super('ERR_GEV_CLIENT_CLOSED', message, details);
  }
}

/**
 * The signal of a request was aborted. `cause` is the signal's reason.
 *
 * @publicApi
 */
export class GevAbortedError extends GevError {
  constructor(details?: GevErrorDetails) {
    super('ERR_GEV_ABORTED', 'The request was aborted by its signal', details);
  }
}

/**
 * The peer has sent what is no reply in the codec of the client.
 *
 * @publicApi
 */
export class GevInvalidReplyError extends GevError {
  constructor(endpoint: string, details?: GevErrorDetails) {
    super(
      'ERR_GEV_INVALID_REPLY',
      `${endpoint} sent an invalid reply: check that a server listens there that speaks the codec of the client, with nestJson() a GevServer or Nest's own`,
      details,
    );
  }
}

/** What {@link GevRemoteError} has of the error that the server told of. */
export interface GevRemoteErrorDetails {
  readonly name?: string | undefined;
  readonly code?: string | number | undefined;
  readonly cause?: unknown;
  readonly data?: unknown;
}

/**
 * A handler's error, where option `errors` of the client is set and its class is not known here. `name` is the one it has at
 * the server, `code` its own, as text, or `ERR_GEV_REMOTE`. Or what a peer answered `conn.request()` with, where the packet
 * format read it as an error that is no Error.
 *
 * @publicApi
 */
export class GevRemoteError extends GevError {
  /**
   * What the server tells of it beside that: its members, or all that a server without option `errors` has sent; the `error`
   * of a {@link GevAnswer}.
   */
  readonly data: unknown;

  constructor(message: string, { name, code, cause, data }: GevRemoteErrorDetails = {}) {
    super(code === undefined ? 'ERR_GEV_REMOTE' : String(code), message, { cause });
    if (name !== undefined) this.name = name;
    this.data = data;
  }
}

function nameOf(pattern: unknown): string {
  try {
    return JSON.stringify(pattern) ?? String(pattern);
  } catch {
    return 'a request';
  }
}
