import type { AddressInfo } from 'node:net';
import { take } from 'rxjs';
import type { GevAddress } from '../core/address.js';
import { bindOnce } from '../core/callback.js';
import type { GevConnection, SendCallback } from '../core/connection.js';
import type { GevError } from '../core/errors.js';

/** What one can listen to with {@link GevSocketRef.on}. */
export interface GevSocketEvents {
  /** The connection has closed; `hadError`: not in the way that both sides have wanted. */
  close: (hadError: boolean) => void;
  /** The system has ended the connection, or the peer has sent nonsense. `close` follows. */
  error: (error: GevError) => void;
}

/**
 * A connection under the names that users of Nest's `TcpContext.getSocketRef()` reach for. What it has beyond those is on
 * {@link GevContext.getConnection}.
 *
 * @publicApi
 */
export class GevSocketRef {
  /** @internal */
  constructor(private readonly connection: GevConnection<object, unknown>) {}

  /** The same object: here as in Nest's, `netSocket.remoteAddress` and the like are found. */
  get netSocket(): this {
    return this;
  }

  /** The peer's numeric address; undefined for Unix sockets. */
  get remoteAddress(): string | undefined {
    return this.connection.remoteAddress;
  }

  /** Undefined for Unix sockets. */
  get remotePort(): number | undefined {
    return this.connection.remotePort;
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | 'Unix' {
    return this.connection.remoteFamily;
  }

  /** This side's numeric address; the path for Unix sockets. */
  get localAddress(): string | undefined {
    return this.connection.localAddress;
  }

  /** Undefined for Unix sockets. */
  get localPort(): number | undefined {
    return this.connection.localPort;
  }

  get bytesRead(): number {
    return this.connection.bytesReceived;
  }

  /** Bytes given to the connection; those that wait included. */
  get bytesWritten(): number {
    return this.connection.bytesSent;
  }

  /** Nothing can be sent any more. */
  get destroyed(): boolean {
    return this.connection.state === 'closed' || this.connection.state === 'closing';
  }

  /** This side of the connection, as `net.Socket` tells it. */
  address(): AddressInfo | GevAddress {
    const { localAddress, localPort, remoteFamily } = this.connection;
    if (localPort === undefined) return { path: localAddress ?? '' };
    return { address: localAddress ?? '', port: localPort, family: remoteFamily };
  }

  /**
   * Sends a packet: its JSON as one frame with `nestJson()`, its JSON as it is with `raw()`. A reply to a request must carry
   * that request's id.
   *
   * @param callback told once when the kernel has taken it, or why it never will
   * @throws GevConnectionClosedError once closing or closed, unless there is a callback; what JSON objects to
   */
  sendMessage(message: unknown, callback?: SendCallback): void {
    this.connection.send(JSON.stringify(message), callback);
  }

  /** Flushes what was sent and closes, as {@link GevConnection.close}. */
  end(): this {
    this.connection.close();
    return this;
  }

  /** Closes at once; output that waits is lost. */
  destroy(): this {
    this.connection.destroy();
    return this;
  }

  /** Listens to the end of the connection. What a listener throws is logged. */
  on<Event extends keyof GevSocketEvents>(event: Event, listener: GevSocketEvents[Event]): this {
    const { connection } = this;
    const bound = bindOnce(
      listener as (value: unknown) => void,
      `A listener of a socket's "${event}" event`,
      (...failure) => connection.reportFailure(...failure),
    );
    connection.closed$.pipe(take(1)).subscribe((reason) => {
      if (event === 'close') bound(connection.closeError !== undefined || reason === 'reset');
      else if (event === 'error' && connection.closeError !== undefined) bound(connection.closeError);
    });
    return this;
  }

  /** As {@link GevSocketRef.on}: a connection ends once. */
  once<Event extends keyof GevSocketEvents>(event: Event, listener: GevSocketEvents[Event]): this {
    return this.on(event, listener);
  }
}
