import type { GevConnection } from '../core/connection.js';
import type { GevConnectionLostError } from '../core/client-errors.js';
import type { GevError } from '../core/errors.js';
import type { Reactor } from '../core/reactor.js';
import type { GevResolvedEndpoint } from './gev.client.options.js';

/**
 * What {@link GevClient.status} emits.
 *
 * - `connected`: at least one connection is up
 * - `disconnected`: the last one is gone, or none could be made
 * - `reconnecting`: none is up, and attempts in the background go on until one is or the client is closed
 */
export type GevClientStatus = 'connected' | 'disconnected' | 'reconnecting';

/**
 * What one can listen to with {@link GevClient.on}.
 *
 * A type and not an interface: Nest asks for an index signature.
 */
export type GevClientEvents = {
  /** A connection is up. */
  connect: (endpoint: GevResolvedEndpoint, connection: GevConnection) => void;
  /** A connection that was up is gone; not when the client closes it. The error tells how. */
  disconnect: (endpoint: GevResolvedEndpoint, error: GevConnectionLostError) => void;
  /**
   * A connection has closed, also where the client closes it. `hadError`: the system has ended it, or the peer has sent
   * nonsense.
   */
  close: (hadError: boolean) => void;
  /** The next attempt in the background begins in `delay` ms. */
  reconnecting: (endpoint: GevResolvedEndpoint, delay: number) => void;
  /** An attempt failed, a peer sent nonsense, or the client itself is in trouble. */
  error: (error: GevError, endpoint?: GevResolvedEndpoint) => void;
};

/** Every event, once: a name forgotten here does not compile. */
export const CLIENT_EVENTS = {
  connect: true,
  disconnect: true,
  close: true,
  reconnecting: true,
  error: true,
} satisfies Record<keyof GevClientEvents, true>;

/** What is known of one endpoint. */
export interface GevEndpointStats {
  /** `host:port` or the path, as configured. */
  readonly address: string;
  /** `idle`: not wanted yet; `waiting`: for the next attempt. */
  readonly state: 'idle' | 'connecting' | 'connected' | 'waiting';
  /** Those that are up. */
  readonly connections: number;
  /** Requests without a final reply. */
  readonly inFlight: number;
  /** Bytes sent that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Left out for a while, as its connections do not last. */
  readonly ejected: boolean;
}

/** What {@link GevClient.stats} reports. */
export interface GevClientStats {
  /** Requests without a final reply. */
  readonly inFlight: number;
  /** Bytes sent that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** Requests and events that wait for a connection. */
  readonly queued: number;
  /** Requests that got no reply in time, since the client was made. */
  readonly timeouts: number;
  /** Replies nobody waited for any more, dropped. */
  readonly lateReplies: number;
  /** Requests sent again, as {@link GevRecordBuilder.setRetry} has it. */
  readonly retries: number;
  /** Connections made again after one was lost. */
  readonly reconnects: number;
  /** In the order of the option `endpoints`. */
  readonly endpoints: readonly GevEndpointStats[];
}

/** What {@link GevClient.unwrap} gives. */
export interface GevClientInternals {
  /** The native loops. */
  readonly reactor: Reactor;
  /** Those that are up. */
  readonly connections: readonly GevConnection[];
}
