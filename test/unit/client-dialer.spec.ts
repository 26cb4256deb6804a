import { describe, expect, it } from '@jest/globals';
import { Dialer, type DialOutcome } from '../../src/client/pool/dialer.js';
import type { ReactorConnection } from '../../src/core/reactor-connection.js';
import { GevConnectError } from '../../src/core/errors.js';
import type { DialTarget } from '../../src/core/reactor.js';

const connection = { state: 'open' } as ReactorConnection;
const refused = (target: DialTarget): Promise<ReactorConnection> =>
  Promise.reject(
    new GevConnectError(
      'ECONNREFUSED',
      'path' in target ? target : { address: target.host, port: target.port },
    ),
  );

async function outcomes(dialer: Dialer, endpoint: DialTarget, count = 1): Promise<DialOutcome[]> {
  const seen: DialOutcome[] = [];
  await dialer.connect(endpoint, count, (outcome) => seen.push(outcome));
  return seen;
}

const lookup = async () => [
  { address: '::1', family: 6 },
  { address: '127.0.0.1', family: 4 },
  { address: '127.0.0.2', family: 4 },
];

describe('dialling an endpoint', () => {
  it('tries the addresses of a name in turn', async () => {
    const dialled: unknown[] = [];
    const dialer = new Dialer(
      async (target) => {
        dialled.push(target);
        return dialled.length < 2 ? refused(target) : connection;
      },
      1_000,
      lookup,
    );
    expect(await outcomes(dialer, { host: 'name', port: 5 })).toEqual([connection]);
    expect(dialled).toEqual([
      { host: '::1', port: 5, servername: 'name' },
      { host: '127.0.0.1', port: 5, servername: 'name' },
    ]);
  });

  it('leaves every address its share of the time', async () => {
    const timeouts: number[] = [];
    const dialer = new Dialer(
      (target, timeout) => {
        timeouts.push(timeout);
        return refused(target);
      },
      9_000,
      lookup,
    );
    const [failure] = await outcomes(dialer, { host: 'name', port: 5 });
    expect(failure).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.2' });
    expect(timeouts.every(Number.isInteger)).toBe(true);
    expect(timeouts[0]).toBeGreaterThan(2_500);
    expect(timeouts[0]).toBeLessThanOrEqual(3_000);
    expect(timeouts[2]).toBeGreaterThan(8_000);
  });

  it('looks up no address and no path', async () => {
    const dialled: unknown[] = [];
    const dialer = new Dialer(
      async (target, timeout) => {
        dialled.push([target, timeout]);
        return connection;
      },
      0,
      () => Promise.reject(new Error('asked')),
    );
    for (const target of [{ host: '127.0.0.1', port: 1 }, { host: 'fe80::1%lo', port: 1 }, { path: '/a' }]) {
      await outcomes(dialer, target);
    }
    expect(dialled).toEqual([
      [{ host: '127.0.0.1', port: 1 }, 0],
      [{ host: 'fe80::1%lo', port: 1 }, 0],
      [{ path: '/a' }, 0],
    ]);
  });

  it('makes as many connections as are wanted, each for itself', async () => {
    let number = 0;
    const dialer = new Dialer(
      (target) => (++number === 2 ? refused(target) : Promise.resolve(connection)),
      0,
    );
    const seen = await outcomes(dialer, { path: '/a' }, 3);
    expect(seen.filter((outcome) => outcome === connection)).toHaveLength(2);
    expect(seen.filter((outcome) => outcome instanceof GevConnectError)).toHaveLength(1);
  });

  it('fails with the code of the resolver', async () => {
    const missing = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    const dialer = new Dialer(refused, 1_000, () => Promise.reject(missing));
    expect(await outcomes(dialer, { host: 'nowhere', port: 5 }, 3)).toEqual([
      expect.objectContaining({
        name: 'GevConnectError',
        code: 'ENOTFOUND',
        address: 'nowhere',
        cause: missing,
      }),
    ]);
  });

  it('does not wait longer for a name server than it may take in all', async () => {
    const dialer = new Dialer(refused, 20, () => new Promise(() => undefined));
    expect(await outcomes(dialer, { host: 'slow', port: 5 })).toEqual([
      expect.objectContaining({ code: 'ETIMEDOUT', address: 'slow' }),
    ]);
  });

  it('takes a connection that was hung up on at once for a failure', async () => {
    const dialer = new Dialer(async () => ({ state: 'closed' }) as ReactorConnection, 1_000);
    expect(await outcomes(dialer, { path: '/a' })).toEqual([
      expect.objectContaining({ code: 'ECONNRESET', path: '/a' }),
    ]);
  });
});
