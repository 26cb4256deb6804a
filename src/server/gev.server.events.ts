import type { GevAddress } from '../core/address.js';
import type { GevConnection } from '../core/connection.js';
import type { GevError } from '../core/errors.js';
import type { Reactor } from '../core/reactor.js';

/** What {@link GevServer.status} emits. */
export type GevServerStatus = 'connected' | 'disconnected';

/**
 * What one can listen to with {@link GevServer.on}.
 *
 * A type and not an interface: Nest asks for an index signature.
 */
export type GevServerEvents = {
  /** The server listens. */
  listening: (address: GevAddress) => void;
  /** A connection has been accepted, by every `@OnConnect` handler too; none of its messages was handled yet. */
  connection: (connection: GevConnection) => void;
  /** The server has stopped: every connection is closed, every descriptor released. */
  close: () => void;
  /** Trouble of the server itself, such as no file descriptor left. It is logged in any case. */
  error: (error: GevError) => void;
};

/** Every event, once: a name forgotten here does not compile. */
export const SERVER_EVENTS = {
  listening: true,
  connection: true,
  close: true,
  error: true,
} satisfies Record<keyof GevServerEvents, true>;

/** What {@link GevServer.stats} reports. */
export type GevServerStats = ReturnType<Reactor['stats']> & {
  readonly handlers: {
    /** Handlers at work and messages that wait for one. */
    readonly pending: number;
    /** Requests whose last reply is not out. */
    readonly inFlight: number;
    /** Requests answered with `ERR_GEV_OVERLOADED`, since listen. */
    readonly overloaded: number;
    /** Replies that came after their connection had closed. */
    readonly lateReplies: number;
    /** Values of Observables that `overflow` has dropped, since the server was made. */
    readonly droppedValues: number;
  };
};
