import { isIP } from 'node:net';
import { onAbort } from './abort-listeners.js';
import { MAX_DELAY } from './constants.js';
import { show } from './option-checks.js';
import { debug } from './debug.js';
import { GevConnectError, type GevErrorDetails, GevOptionsError } from './errors.js';
import type { ReactorConnection } from './reactor-connection.js';
import { systemErrorName } from './system-error.js';
import type { GevClientTlsOptions } from './tls/tls-options.js';
import { type LoopPort, MAX_ADDRESS_LENGTH, MAX_DIAL_TOKEN, Operation } from '../engine/loop-port.js';

/** Whom to dial: a numeric address (a scope such as `%eth0` allowed), or the path of a Unix socket. */
export type DialTarget = ({ readonly host: string; readonly port: number } | { readonly path: string }) & {
  /** With `dialTls`: the name that is asked for, and that the certificate must have. Default: the host. */
  readonly servername?: string;
};

interface PendingDial {
  readonly outbound: LoopPort;
  readonly servername: string;
  resolve(connection: ReactorConnection): void;
  reject(code: string, details?: GevErrorDetails): void;
}

/**
 * The dials of a reactor that are under way. The loop tells the outcome of each by its token exactly once, whoever may
 * have stopped waiting for it: only then is the token free again.
 *
 * @internal
 */
export class ReactorDials {
  private readonly pending = new Map<number, PendingDial>();
  /** Rejected already; the loop's word is still to come. */
  private readonly abandoned = new Set<number>();
  private lastToken = 0;

  /** @param tls what is spoken; undefined: no TLS */
  constructor(private readonly tls: GevClientTlsOptions | undefined) {}

  dial(
    outbound: LoopPort,
    target: DialTarget,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<ReactorConnection> {
    return new Promise((resolve, reject) => {
      const token = this.nextToken();
      const settle =
        signal && onAbort(signal, () => this.abandon(token, { cause: signal.reason as unknown }));
      const servername =
        this.tls?.servername ?? target.servername ?? ('path' in target ? 'localhost' : target.host);
      this.pending.set(token, {
        outbound,
        servername,
        resolve(connection) {
          settle?.();
          resolve(connection);
        },
        reject(code, details) {
          settle?.();
          reject(connectError(code, target, details));
        },
      });
      // An address is no name that could be asked for.
      const asked = isIP(servername) === 0 ? servername : '';
      if ('path' in target) outbound.dial(token, timeout, -1, target.path, asked);
      else outbound.dial(token, timeout, target.port, target.host, asked);
    });
  }

  /** False: nobody waits for this connection any more. */
  onDialled(token: number, connection: ReactorConnection): boolean {
    this.abandoned.delete(token);
    const dial = this.take(token);
    if (dial === undefined) return false;
    const { tls } = connection;
    if (tls !== undefined) {
      tls.checkIdentity(dial.servername);
      if (!tls.authorized && this.tls?.rejectUnauthorized !== false) {
        dial.reject(tls.authorizationError ?? 'ERR_TLS_UNAUTHORIZED', { cause: tls.identityError });
        return false;
      }
    }
    dial.resolve(connection);
    return true;
  }

  onFailed(token: number, errno: number): void {
    debug('dial %d failed: %s', token, systemErrorName(errno));
    this.abandoned.delete(token);
    this.take(token)?.reject(systemErrorName(errno), { errno, syscall: 'connect' });
  }

  /** Rejects every dial and tells the loops. */
  cancelAll(): void {
    for (const token of [...this.pending.keys()]) this.abandon(token);
  }

  private abandon(token: number, details?: GevErrorDetails): void {
    const dial = this.take(token);
    if (dial === undefined) return;
    debug('dial %d is given up', token);
    this.abandoned.add(token);
    dial.outbound.command(Operation.DialCancel, token);
    dial.reject('ECANCELED', details);
  }

  private take(token: number): PendingDial | undefined {
    const dial = this.pending.get(token);
    this.pending.delete(token);
    return dial;
  }

  private nextToken(): number {
    do {
      this.lastToken = (this.lastToken % MAX_DIAL_TOKEN) + 1;
    } while (this.pending.has(this.lastToken) || this.abandoned.has(this.lastToken));
    return this.lastToken;
  }
}

/** The error of a dial, with the target as its own properties. */
export function connectError(code: string, target: DialTarget, details?: GevErrorDetails): GevConnectError {
  const where = 'path' in target ? { path: target.path } : { address: target.host, port: target.port };
  return new GevConnectError(code, where, details);
}

/** @throws GevOptionsError; GevConnectError for what is longer than any address of a socket */
export function assertDialable(target: DialTarget, timeout: number): void {
  if (!Number.isInteger(timeout) || timeout < 0 || timeout > MAX_DELAY) {
    throw new GevOptionsError(
      'timeout',
      `The timeout of a dial must be an integer from 0 to ${MAX_DELAY} (milliseconds), not ${timeout}`,
    );
  }
  if ('path' in target) {
    if (Buffer.byteLength(target.path) > MAX_ADDRESS_LENGTH) throw connectError('ENAMETOOLONG', target);
    return;
  }
  if (isIP(target.host.split('%', 1)[0]!) === 0) {
    throw new GevOptionsError(
      'host',
      `A dial needs a numeric address, not ${show(target.host)}: look it up first`,
    );
  }
  if (!Number.isInteger(target.port) || target.port < 0 || target.port > 65_535) {
    throw new GevOptionsError('port', `The port of a dial must be from 0 to 65535, not ${target.port}`);
  }
  if (Buffer.byteLength(target.host) > MAX_ADDRESS_LENGTH) throw connectError('EINVAL', target);
}
