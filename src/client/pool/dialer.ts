import { lookup as lookupName, type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import { GevConnectError, type GevError } from '../../core/errors.js';
import type { DialTarget } from '../../core/reactor.js';
import type { GevResolvedEndpoint } from '../gev.client.options.js';

/** A connection, or why there is none. */
export type DialOutcome = ReactorConnection | GevError;

/** Connects to one numeric address or path within `timeout` ms; 0: as long as the system tries. */
export type Dial = (target: DialTarget, timeout: number) => Promise<ReactorConnection>;

/** All addresses of a name; a seam for tests. */
export type Lookup = (host: string) => Promise<readonly LookupAddress[]>;

export const systemLookup: Lookup = (host) =>
  new Promise((resolve, reject) => {
    lookupName(host, { all: true }, (error, addresses) =>
      error === null ? resolve(addresses) : reject(error),
    );
  });

/**
 * Connects to endpoints: looks a name up, and tries its addresses in turn. All of it together takes `timeout` ms at
 * most: an address that does not answer leaves the next ones their share.
 */
export class Dialer {
  constructor(
    private readonly dial: Dial,
    private readonly timeout: number,
    private readonly lookup: Lookup = systemLookup,
  ) {}

  /**
   * @param count how many connections
   * @param onDone told of each: the connection, or why there is none
   * @returns settles, and never rejects, with the last of them
   */
  async connect(
    endpoint: GevResolvedEndpoint,
    count: number,
    onDone: (outcome: DialOutcome) => void,
  ): Promise<void> {
    const deadline = performance.now() + this.timeout;
    let targets: readonly DialTarget[];
    try {
      targets = await this.resolve(endpoint);
    } catch (error) {
      onDone(error as GevError);
      return;
    }
    const one = (): Promise<void> => this.inTurn(targets, deadline).then(onDone, onDone);
    await Promise.all(Array.from({ length: count }, one));
  }

  private async inTurn(targets: readonly DialTarget[], deadline: number): Promise<ReactorConnection> {
    let failure: unknown;
    for (const [index, target] of targets.entries()) {
      try {
        const connection = await this.dial(target, this.share(deadline, targets.length - index));
        if (connection.state === 'open') return connection;
        failure = connectError('ECONNRESET', target, connection.closeError);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  /** What one of so many attempts may take; 0: without end. */
  private share(deadline: number, attempts: number): number {
    if (this.timeout === 0) return 0;
    return Math.max(Math.ceil((deadline - performance.now()) / attempts), 1);
  }

  private async resolve(endpoint: GevResolvedEndpoint): Promise<readonly DialTarget[]> {
    if ('path' in endpoint) return [endpoint];
    const { host, port } = endpoint;
    if (isIP(host.split('%', 1)[0]!) !== 0) return [endpoint];
    try {
      const addresses = await this.inTime(this.lookup(host));
      return addresses.map(({ address }) => ({ host: address, port, servername: host }));
    } catch (error) {
      throw connectError((error as NodeJS.ErrnoException).code ?? 'ENOTFOUND', endpoint, error);
    }
  }

  private inTime<Value>(promise: Promise<Value>): Promise<Value> {
    if (this.timeout === 0) return promise;
    let timer: NodeJS.Timeout;
    const late = new Promise<never>((_, reject) => {
      const error = Object.assign(new Error('The name server did not answer in time'), { code: 'ETIMEDOUT' });
      timer = setTimeout(() => reject(error), this.timeout);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }
}

function connectError(code: string, target: GevResolvedEndpoint, cause: unknown): GevConnectError {
  const where = 'path' in target ? target : { address: target.host, port: target.port };
  return new GevConnectError(code, where, { cause });
}
