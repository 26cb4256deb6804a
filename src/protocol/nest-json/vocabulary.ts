import type { GevCodec } from '../codec.js';
import { NEST_JSON_PACKETS } from '../packet-format.js';

/** The error of a request that found no place among the calls in flight, on the wire. */
export const OVERLOADED = Object.freeze({
  status: 'error',
  message: 'The server is overloaded',
  code: 'ERR_GEV_OVERLOADED',
  retryable: true,
});

/** What requests are told that have not been answered at the end of a server's drainTimeout. */
export const SHUTTING_DOWN = Object.freeze({ status: 'error', message: 'The server is shutting down' });

/** What requests are told that have not been answered so long after their client was asked to go. */
export const OVERAGE = Object.freeze({
  status: 'error',
  message: 'The connection has reached its greatest age',
});

/**
 * The `status` of a reply by which the server itself, and no handler, says that it has not begun a request: handlers fill
 * `err` and `response`, never the packet around them. Nest's clients look at it no more than at the one of its own servers.
 */
export const NOT_BEGUN = 'gev:not-begun';

/** What the patterns of the protocol itself begin with. */
export const RESERVED_PREFIX = 'gev:';

/** The member, 1, by which an error in a reply says that it was an Error, and has its members in their places. */
export const ERROR_TAG = 'gev:error';

/**
 * The request by which a client asks what the server understands beyond Nest's format. Ours answers {@link CAPABILITIES};
 * Nest's own server knows no such pattern and says so to the caller, without a line in its log.
 */
export const HELLO_PATTERN = 'gev:hello';

/**
 * The data of a hello. In another notation than JSON it has a `#`: what Nest's own server, which waits for one, then finds in front of
 * it is no length, so that it hangs up at once.
 */
export function helloOf(codec: GevCodec): object {
  return codec.packets === NEST_JSON_PACKETS ? { cancel: 1 } : { cancel: 1, codec: `#${codec.name}` };
}

/** The event, its data the id of a request, by which a client says that it wants no more replies. Only after a hello. */
export const CANCEL_PATTERN = 'gev:cancel';

/**
 * The event by which a server says that a connection is to end: whoever understands it sends nothing more on it, and hangs
 * up with the last reply. Nest's clients ignore it, as it has no id.
 */
export const GO_AWAY_PATTERN = 'gev:goaway';

/** The packet of it. */
export const GO_AWAY = Object.freeze({ pattern: GO_AWAY_PATTERN, data: Object.freeze({}) });

/** What our server answers to {@link HELLO_PATTERN}. */
export const CAPABILITIES = Object.freeze({ cancel: 1 });

/** What it answers on a connection that it has asked to end: the go-away may have come when nobody could read it yet. */
export const CAPABILITIES_LEAVING = Object.freeze({ ...CAPABILITIES, leaving: true });

/** What Nest's servers answer to a request nobody handles. */
export const NO_MESSAGE_HANDLER = 'There is no matching message handler defined in the remote service.';
