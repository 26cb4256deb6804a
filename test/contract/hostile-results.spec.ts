import { describe, expect, it } from '@jest/globals';
import { GevServer, type GevNetworkAddress } from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { FramePeer } from '../kit/frames.js';
import { until } from '../kit/until.js';

const refused = (): never => {
  throw new Error('not to be read');
};

/** Something of which nothing can be read. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

async function serve(handlers: Record<string, (data: unknown) => unknown>, events: readonly string[] = []) {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const logger = { log: write, warn: write, error: write };
  const server = new GevServer({ host: '127.0.0.1', port: 0, loops: 0, logger });
  for (const [pattern, handler] of Object.entries(handlers)) {
    server.addHandler(pattern, handler as never, events.includes(pattern));
  }
  await new Promise((resolve) => server.listen(resolve));
  onCleanup(() => server.close());
  const client = await FramePeer.connect((server.address() as GevNetworkAddress).port);
  return { server, lines, client };
}

describe('what a handler returns or throws', () => {
  const results: Record<string, () => unknown> = {
    'a then that throws when it is read': () => Object.defineProperty({}, 'then', { get: refused }),
    'a then that throws when it is called': () => ({ then: refused }),
    'nothing that can be read': revoked,
    'a promise of what looks like an Observable and throws': () =>
      Promise.resolve(Object.defineProperty({}, 'lift', { get: refused, enumerable: true })),
  };

  it.each(Object.keys(results))('U1: %s fails that request only', async (what) => {
    const { server, client } = await serve({ odd: results[what]!, plain: () => 'plain' });
    client.write({ pattern: 'odd', data: 1, id: '1' }, { pattern: 'plain', data: 1, id: '2' });
    const replies = await client.packets(2);
    expect(replies.find(({ id }) => id === '1')).toMatchObject({
      err: { status: 'error' },
      isDisposed: true,
    });
    expect(replies.find(({ id }) => id === '2')).toMatchObject({ response: 'plain' });
    await until(() => server.stats().handlers.pending === 0);
    expect(server.stats().handlers.inFlight).toBe(0);
  });

  it('U1: a then that answers twice and throws ends its request once', async () => {
    const odd = () => ({
      then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
        resolve(1);
        resolve(2);
        reject(new Error('3'));
        throw new Error('4');
      },
    });
    const { server, client } = await serve({ odd, event: odd, plain: () => 'plain' }, ['event']);
    client.write({ pattern: 'odd', data: 1, id: '1' }, { pattern: 'event', data: 1 });
    expect(await client.packets(1)).toEqual([{ response: 1, isDisposed: true, id: '1' }]);
    client.write({ pattern: 'plain', data: 1, id: '2' });
    expect(await client.packets(1)).toEqual([{ response: 'plain', isDisposed: true, id: '2' }]);
    await until(() => server.stats().handlers.pending === 0);
    expect(server.stats().handlers.inFlight).toBe(0);
  });

  it('U1, N6: an error of which nothing can be read is logged all the same', async () => {
    const fail = (): never => {
      throw revoked() as Error;
    };
    const { server, lines, client } = await serve({ event: fail, request: fail }, ['event']);
    client.write({ pattern: 'event', data: 1 });
    await until(() => lines.length === 1);
    expect(lines[0]).toMatch(/^The handler of "event" failed on connection/);
    client.write({ pattern: 'request', data: 1, id: '1' });
    expect(await client.packets(1)).toMatchObject([{ err: { status: 'error' }, isDisposed: true }]);
    expect(server.stats().handlers.pending).toBe(0);
  });

  it('U1: a timer that returns what cannot be awaited goes on', async () => {
    const { server, lines } = await serve({});
    let runs = 0;
    server.runEvery(1, () => {
      runs++;
      return Object.defineProperty({}, 'then', { get: refused });
    });
    await until(() => runs > 3);
    expect(lines[0]).toMatch(/^Timer .* failed: not to be read$/);
  });
});
