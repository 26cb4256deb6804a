import { afterEach, describe, expect, it } from '@jest/globals';
import { lastValueFrom, type Observable } from 'rxjs';
import type { ClientReactor } from '../../src/client/pool/reactor-on-demand.js';
import { GevClient } from '../../src/client/gev.client.js';
import type { ReactorHandler } from '../../src/core/reactor.js';
import { type FakeClientConnection, FakeClientReactor, turn } from './support/fake-client-reactor.js';
import { settled, until } from '../kit/until.js';

class FakeClient extends GevClient {
  reactor!: FakeClientReactor;

  get links(): readonly FakeClientConnection[] {
    return this.reactor.connections;
  }

  protected override createReactor(_: unknown, handler: ReactorHandler): ClientReactor {
    this.reactor = new FakeClientReactor(handler);
    this.reactor.answer = 'accept';
    return this.reactor;
  }
}

let client: FakeClient;

async function connect(options: object = {}): Promise<FakeClient> {
  const write = (): void => undefined;
  const logger = { log: write, warn: write, error: write };
  client = new FakeClient({
    host: '127.0.0.1',
    port: 1,
    logger,
    reconnect: { initialDelay: 1, maxDelay: 1 },
    ...options,
  });
  await client.connect();
  return client;
}

function ask(source: Observable<unknown>): { value?: unknown; error?: any } {
  const outcome: { value?: unknown; error?: any } = {};
  lastValueFrom(source).then(
    (value) => (outcome.value = value),
    (error: unknown) => (outcome.error = error),
  );
  return outcome;
}

function reply(connection: FakeClientConnection, index: number, response: unknown): void {
  connection.reply({ response, isDisposed: true, id: (connection.sent[index] as { id: string }).id });
}

/** Hangs up on connection number `index` as soon as it is there: its server does not bear the hello. */
async function refuse(index: number, reason: 'peer' | 'reset' = 'peer'): Promise<void> {
  await until(() => client.links[index]?.hello !== undefined);
  client.links[index]!.drop(reason);
}

afterEach(() => client.close());

describe('a server that hangs up when it is greeted', () => {
  it.each(['peer', 'reset'] as const)(
    'L2: is not greeted the second time after that, and requests wait for the time when it is not (%s)',
    async (reason) => {
      await connect();
      await refuse(0, reason);
      await until(() => client.links.length === 2);
      const call = ask(client.send('a', 1));
      const event = ask(client.emit('e', 2));
      await refuse(1, reason);
      await until(() => client.links.length === 3);
      const third = client.links[2]!;
      await until(() => third.sent.length === 2);
      expect(third.hello).toBeUndefined();
      expect(client.links[1]!.sent).toEqual([]);
      reply(third, 0, 'done');
      third.flush();
      await turn();
      expect(call).toEqual({ value: 'done' });
      expect('value' in event).toBe(true);
      expect(await settled(() => client.links.length, 50)).toBe(3);
    },
  );

  it('D1: has hung up once when it says FIN and is gone, and is greeted the next time', async () => {
    await connect();
    const [first] = client.links;
    await until(() => first!.hello !== undefined);
    first!.end();
    first!.drop('peer');
    await until(() => client.links[1]?.hello !== undefined);
    await refuse(1);
    await until(() => client.links.length === 3);
    expect(await settled(() => client.links[2]!.hello, 50)).toBeUndefined();
  });

  it('L3: is not told of requests that are given up, nor probed', async () => {
    await connect({ requestTimeout: 10 });
    await refuse(0);
    await refuse(1);
    await until(() => client.links.length === 3);
    const third = client.links[2]!;
    await until(() => third.state === 'open' && client.stats().endpoints[0]!.state === 'connected');
    for (let count = 1; count <= 3; count++) {
      ask(client.send('a', count));
      await until(() => client.stats().timeouts === count);
    }
    await turn();
    expect(third.sent).toHaveLength(3);
    expect(third.hello).toBeUndefined();
  });

  it('D1: is greeted again on each further connection, which is used only if that is answered', async () => {
    await connect();
    await refuse(0);
    await refuse(1);
    await until(() => client.links.length === 3);
    client.links[2]!.drop('reset');
    await until(() => client.links.length === 4);
    const fourth = client.links[3]!;
    await until(() => fourth.hello !== undefined);
    const call = ask(client.send('a', 1));
    expect(fourth.sent).toEqual([]);
    fourth.reply({ response: { cancel: 1 }, isDisposed: true, id: fourth.hello.id });
    reply(fourth, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
    fourth.drop('reset');
    await until(() => client.links.length === 5);
    await until(() => client.links[4]!.hello !== undefined);
    ask(client.send('a', 2));
    expect(client.links[4]!.sent).toHaveLength(1); // it has been forgiven
  });

  it('D1: one that has asked a connection to go is greeted more often, for others end with it', async () => {
    await connect();
    client.links[0]!.reply({ pattern: 'gev:goaway', data: {} });
    const call = ask(client.send('a', 1));
    for (let index = 1; index <= 5; index++) await refuse(index, 'reset');
    await until(() => client.links.length === 7);
    const seventh = client.links[6]!;
    await until(() => seventh.sent.length === 1);
    expect(seventh.hello).toBeUndefined();
    reply(seventh, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });
});
