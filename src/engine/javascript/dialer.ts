import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { errnoOf } from './errno.js';
import type { OutboxRecord } from './outbox.js';
import type { TlsDialer } from './tls-sockets.js';

const { ECANCELED, ECONNREFUSED, EPROTO, ETIMEDOUT } = constants.errno;

type Dial = Extract<OutboxRecord, { readonly kind: 'dial' }>;

/** What a {@link Dialer} tells: one of them for each dial. */
export interface DialerOwner {
  /** `path`: of a Unix socket, which has no name at this end; undefined for TCP. */
  onConnected(socket: Socket, token: number, path: '' | undefined): void;
  onDialFailed(token: number, errno: number): void;
}

/** The dials that are under way, by their tokens. */
export class Dialer {
  private readonly sockets = new Map<number, Socket>();

  constructor(
    private readonly owner: DialerOwner,
    private readonly noDelay: boolean,
    private readonly handshakes: TlsDialer | undefined,
  ) {}

  dial({ token, timeout, port, address, servername }: Dial): void {
    const target = port < 0 ? { path: address } : { host: address, port, autoSelectFamily: false };
    const socket = createConnection({ ...target, allowHalfOpen: true, noDelay: this.noDelay });
    socket.unref();
    this.sockets.set(token, socket);
    const timer = timeout > 0 ? setTimeout(() => this.fail(token, ETIMEDOUT), timeout).unref() : undefined;
    const onError = (error: Error): void => this.fail(token, errnoOf(error) || EPROTO);
    socket.on('error', onError);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      if (this.sockets.get(token) !== socket) return;
      if (isSelfConnected(socket)) {
        this.fail(token, ECONNREFUSED);
        return;
      }
      const connected = (ready: Socket): void => {
        clearTimeout(timer);
        if (this.sockets.get(token) !== socket) return;
        this.sockets.delete(token);
        ready.removeListener('error', onError);
        this.owner.onConnected(ready, token, port < 0 ? '' : undefined);
      };
      if (this.handshakes === undefined) connected(socket);
      else this.handshakes.secure(socket, servername, connected).on('error', onError);
    });
  }

  cancel(token: number): void {
    this.fail(token, ECANCELED);
  }

  cancelAll(): void {
    for (const token of [...this.sockets.keys()]) this.cancel(token);
  }

  /** Nobody is told. */
  stop(): void {
    for (const socket of this.sockets.values()) socket.destroy();
    this.sockets.clear();
  }

  private fail(token: number, errno: number): void {
    const socket = this.sockets.get(token);
    if (socket === undefined) return;
    this.sockets.delete(token);
    socket.destroy();
    this.owner.onDialFailed(token, errno);
  }
}

/** Nobody listens, and the system chose the very port that was dialled for this end. */
function isSelfConnected({ localPort, remotePort, localAddress, remoteAddress }: Socket): boolean {
  return localPort !== undefined && localPort === remotePort && localAddress === remoteAddress;
}
