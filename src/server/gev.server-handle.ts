import type { GevAddress } from '../core/address.js';
import type { GevConnection } from '../core/connection.js';
import type { Listeners } from '../core/listeners.js';
import type { Reactor } from '../core/reactor.js';
import type { GevServerEvents } from './gev.server.events.js';

/**
 * What {@link GevServer.unwrap} gives: the running server with the members that users of `net.Server` reach for, and
 * the {@link Reactor} below. Iterating goes over the open connections.
 *
 * @example
 * ```ts
 * const handle = server.unwrap();
 * handle.on('connection', (connection) => console.log(connection.remoteAddress));
 * console.log(handle.address(), [...handle].length);
 * ```
 * @publicApi
 */
export class GevServerHandle implements Iterable<GevConnection> {
  /** @internal */
  constructor(
    /** The native loops. */
    readonly reactor: Reactor,
    private readonly listeners: Listeners<GevServerEvents>,
    private readonly closeServer: () => Promise<void>,
  ) {}

  /** Whether it still accepts connections. */
  get listening(): boolean {
    return this.reactor.address() !== null;
  }

  /** Where it listens; null once it has stopped. */
  address(): GevAddress | null {
    return this.reactor.address();
  }

  /** Goes over the open connections. */
  [Symbol.iterator](): IterableIterator<GevConnection> {
    return this.reactor.connections.values();
  }

  /** As {@link GevServer.on}. */
  on<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.listeners.on(event, listener);
    return this;
  }

  /** As {@link GevServerHandle.on}, for the next time only. */
  once<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.listeners.once(event, listener);
    return this;
  }

  /** Takes a listener away again. */
  off<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.listeners.off(event, listener);
    return this;
  }

  /**
   * As {@link GevServer.close}.
   *
   * @param callback called without an argument when everything is closed, or with what went wrong
   */
  close(callback?: (error?: Error) => void): Promise<void> {
    const closed = this.closeServer();
    if (callback !== undefined) {
      closed.then(
        () => callback(),
        (error: unknown) => callback(error as Error),
      );
    }
    return closed;
  }
}
