// Nest's cases for TCP over TLS, with our server and client in place of its own, one at a time and both.
import { describe, expect, it } from '@jest/globals';
import type { ClientTCP } from '@nestjs/microservices';
import type { GevClient } from 'nestjs-gev';
import { lastValueFrom, toArray } from 'rxjs';
import { certificates } from '../kit/certificates.js';
import { nestClient } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { serveRpc } from '../kit/rpc-service.js';
import { until } from '../kit/until.js';

const { ca, localhost, client: ours } = certificates;

type Proxy = Pick<ClientTCP | GevClient, 'send' | 'emit'>;

const CASES = [
  { kind: 'GevServer', client: 'ClientTCP' },
  { kind: 'ServerTCP', client: 'GevClient' },
  { kind: 'GevServer', client: 'GevClient' },
] as const;

describe.each(CASES)('$client over TLS to $kind', ({ kind, client }) => {
  async function start(loops = 0) {
    const tlsOptions = { ...localhost, ca, requestCert: true };
    const service = await serveRpc(kind, { tlsOptions, loops });
    const proxy: Proxy =
      client === 'ClientTCP'
        ? nestClient(service.port, { tlsOptions: { ...ours, ca } })
        : clientOf({ port: service.port, loops, tlsOptions: { ...ours, ca } });
    return { service, proxy };
  }
  const ask = (proxy: Proxy, pattern: unknown, data: unknown): Promise<unknown> =>
    lastValueFrom(proxy.send(pattern, data));

  it('E1: sum, async, values of a stream', async () => {
    const { proxy } = await start();
    expect(await ask(proxy, 'sum', [1, 2, 3, 4, 5])).toBe(15);
    expect(await ask(proxy, 'later', { ms: 2, value: 'x' })).toBe('x');
    expect(await lastValueFrom(proxy.send<number>('count', 4).pipe(toArray()))).toEqual([1, 2, 3, 4]);
  });

  it('E1: errors, and a pattern that nobody handles', async () => {
    const { proxy } = await start();
    await expect(ask(proxy, 'fail', { kind: 'NoSuchAccount' })).rejects.toMatchObject({
      kind: 'NoSuchAccount',
    });
    await expect(ask(proxy, 'nobody', 1)).rejects.toBeDefined();
  });

  it('E1: many requests at once, a megabyte each way, on a loop of its own', async () => {
    const { proxy } = await start(1);
    const lists = Array.from({ length: 50 }, (_, index) => Array.from({ length: index + 1 }, (__, n) => n));
    const sums = await Promise.all(lists.map((numbers) => ask(proxy, 'sum', numbers)));
    expect(sums).toEqual(lists.map((numbers) => (numbers.length * (numbers.length - 1)) / 2));
    const text = 'é漢😀'.repeat(100_000);
    expect(await ask(proxy, { cmd: 'echo' }, text)).toBe(text);
  });

  it('E1: events', async () => {
    const { proxy, service } = await start();
    await lastValueFrom(proxy.emit({ topic: 'note' }, { a: 'é漢😀' }), { defaultValue: undefined });
    await until(() => service.events.length === 1);
    expect(service.events).toEqual([{ a: 'é漢😀' }]);
  });
});
