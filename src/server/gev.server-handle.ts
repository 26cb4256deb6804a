import type { GevAddress } from '../core/address.js';
import { bindOnce, type FailureReport } from '../core/callback.js';
import { GevNotListeningError } from '../core/errors.js';
import type { GevConnection } from '../core/connection.js';
import type { Listeners } from '../core/listeners.js';
import type { Reactor } from '../core/reactor.js';
import type { GevServerEvents } from './gev.server.events.js';

const NO_CONNECTIONS: ReadonlyMap<number, GevConnection> = new Map();

/**
 * What {@link GevServer.unwrap} gives, before listen too: the server with the members that users of `net.Server` reach
 * for, and the {@link Reactor} below while it runs. Iterating goes over the open connections.
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
  /** @internal Whether the server is to keep the process alive. */
  referenced = true;

  /** @internal */
  constructor(
    private readonly running: () => Reactor | undefined,
    private readonly events: Listeners<GevServerEvents>,
    private readonly closeServer: () => Promise<void>,
    private readonly report: FailureReport,
  ) {}

  /**
   * The native loops.
   *
   * @throws GevNotListeningError while the server does not run
   */
  get reactor(): Reactor {
    const reactor = this.running();
    if (reactor === undefined) {
      throw new GevNotListeningError('There is a reactor from listen() to close() only: call listen() first');
    }
    return reactor;
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return this.address() !== null;
  }

  /** Where it listens; null while it does not. */
  address(): GevAddress | null {
    return this.running()?.address() ?? null;
  }

  /** Goes over the open connections. */
  [Symbol.iterator](): IterableIterator<GevConnection> {
    return (this.running()?.connections ?? NO_CONNECTIONS).values();
  }

  /** Has the server keep the process alive while it listens, as it does unless {@link GevServerHandle.unref} was called. */
  ref(): this {
    this.referenced = true;
    this.running()?.ref();
    return this;
  }

  /** The process may end although the server listens. Unlike with `net.Server`, its open connections do not keep it either. */
  unref(): this {
    this.referenced = false;
    this.running()?.unref();
    return this;
  }

  /** Tells how many connections are open, in a later turn, as `net.Server` does. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    const bound = bindOnce(callback, 'A getConnections() callback', this.report);
    process.nextTick(() => bound(null, this.running()?.connections.size ?? 0));
    return this;
  }

  /** As {@link GevServer.on}. */
  on<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.events.on(event, listener);
    return this;
  }

  /** As {@link GevServerHandle.on}, for the next time only. */
  once<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.events.once(event, listener);
    return this;
  }

  /** Takes a listener away again. */
  off<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    this.events.off(event, listener);
    return this;
  }

  /** As {@link GevServerHandle.on}. */
  addListener<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    return this.on(event, listener);
  }

  /** As {@link GevServerHandle.off}. */
  removeListener<Event extends keyof GevServerEvents>(event: Event, listener: GevServerEvents[Event]): this {
    return this.off(event, listener);
  }

  /** Takes away all listeners of an event, or of every event. */
  removeAllListeners(event?: keyof GevServerEvents): this {
    this.events.removeAll(event);
    return this;
  }

  listenerCount(event: keyof GevServerEvents): number {
    return this.events.count(event);
  }

  /**
   * As {@link GevServer.close}.
   *
   * @param callback called without an argument when everything is closed, or with what went wrong
   */
  close(callback?: (error?: Error) => void): Promise<void> {
    const closed = this.closeServer();
    if (callback !== undefined) {
      const bound = bindOnce(callback, 'A close() callback', this.report);
      closed.then(
        () => bound(),
        (error: unknown) => bound(error as Error),
      );
    }
    return closed;
  }
}
