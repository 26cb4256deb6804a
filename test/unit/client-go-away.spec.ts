import { afterEach, describe, expect, it } from '@jest/globals';
import { lastValueFrom, type Observable } from 'rxjs';
import type { ClientReactor } from '../../src/client/pool/reactor-on-demand.js';
import { GevClient } from '../../src/client/gev.client.js';
import type { GevClientOptions, ResolvedGevClientOptions } from '../../src/client/gev.client.options.js';
import { GevRecordBuilder } from '../../src/client/gev.record.js';
import type { ReactorHandler } from '../../src/core/reactor.js';
import { type FakeClientConnection, FakeClientReactor, turn } from './support/fake-client-reactor.js';
import { settled, until } from '../kit/until.js';

const GO_AWAY = { pattern: 'gev:goaway', data: {} };

class FakeClient extends GevClient {
  reactor!: FakeClientReactor;
  readonly events: string[] = [];

  constructor(
    options: GevClientOptions = {},
    private readonly answer?: string,
  ) {
    const write = (): void => undefined;
    super({ host: '127.0.0.1', port: 1, logger: { log: write, warn: write, error: write }, ...options });
    this.on('connect', () => this.events.push('connect'));
    this.on('disconnect', (...[, error]) => this.events.push(`disconnect ${error.reason}`));
  }

  get links(): readonly FakeClientConnection[] {
    return this.reactor.connections;
  }

  protected override createReactor(_: ResolvedGevClientOptions, handler: ReactorHandler): ClientReactor {
    this.reactor = new FakeClientReactor(handler);
    this.reactor.answer = this.answer;
    return this.reactor;
  }
}

let clients: FakeClient[] = [];

function create(options?: GevClientOptions, answer?: string): FakeClient {
  const client = new FakeClient(options, answer);
  clients.push(client);
  return client;
}

async function connect(options?: GevClientOptions): Promise<FakeClient> {
  const client = create(options, 'accept');
  await client.connect();
  return client;
}

/** Subscribes; what comes of it. */
function ask(source: Observable<unknown>): { value?: unknown; error?: any } {
  const outcome: { value?: unknown; error?: any } = {};
  lastValueFrom(source).then(
    (value) => (outcome.value = value),
    (error: unknown) => (outcome.error = error),
  );
  return outcome;
}

/** Answers the hello on a new connection. */
function greet(connection: FakeClientConnection, more: object = {}): void {
  const { id } = connection.hello as { id: string };
  connection.reply({ response: { cancel: 1, ...more }, isDisposed: true, id });
}

function reply(connection: FakeClientConnection, index: number, response: unknown): void {
  connection.reply({ response, isDisposed: true, id: (connection.sent[index] as { id: string }).id });
}

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
});

describe('a client whose server asks it to go', () => {
  it('D1: sends nothing more there, and hangs up with the last reply', async () => {
    const client = await connect();
    const [first] = client.links;
    const outcomes = [ask(client.send('a', 1)), ask(client.send('a', 2))];
    first!.reply(GO_AWAY);
    const later = ask(client.send('a', 3));
    const event = ask(client.emit('e', 4));
    await turn();
    expect(first!.sent).toHaveLength(2);
    await until(() => client.links.length === 2);
    const second = client.links[1]!;
    await turn();
    expect(second.hello).toMatchObject({ pattern: 'gev:hello' });
    expect(second.sent).toEqual([]);
    greet(second);
    expect(second.sent).toMatchObject([{ data: 3 }, { data: 4 }]);
    reply(first!, 1, 'two');
    expect(first!.state).toBe('open');
    reply(first!, 0, 'one');
    expect(first!.state).toBe('closing');
    reply(second, 0, 'three');
    second.flush();
    await turn();
    expect(outcomes).toEqual([{ value: 'one' }, { value: 'two' }]);
    expect(later).toEqual({ value: 'three' });
    expect(event).toEqual({ value: undefined });
    expect('value' in event).toBe(true);
    first!.drop('local');
    expect(client.events).toEqual(['connect', 'connect', 'disconnect local']);
    expect(client.stats()).toMatchObject({ inFlight: 0, lateReplies: 0, queued: 0, reconnects: 1 });
  });

  it('D1: hangs up at once when it waits for nothing, however often it is asked', async () => {
    const client = await connect();
    const [first] = client.links;
    first!.reply(GO_AWAY);
    first!.reply(GO_AWAY);
    expect(first!.state).toBe('closing');
    await until(() => client.links.length === 2);
    expect(await settled(() => client.links.length, 150)).toBe(2);
  });

  it('D1: a new connection that ends before somebody answers takes nothing with it, and another is made', async () => {
    const client = await connect({ reconnect: { initialDelay: 1 } });
    client.links[0]!.reply(GO_AWAY);
    const call = ask(client.send('a', 1));
    await until(() => client.links.length === 2);
    client.links[1]!.drop('reset', 'ECONNRESET');
    await until(() => client.links.length === 3);
    client.links[2]!.end(); // FIN
    await until(() => client.links.length === 4);
    client.links[3]!.reply(GO_AWAY); // by one that stops, too
    await until(() => client.links.length === 5);
    expect(client.links[3]!.state).toBe('closing');
    greet(client.links[4]!);
    reply(client.links[4]!, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
    for (const each of client.links.slice(1, 4)) {
      expect(each.sent).toEqual([]);
    }
  });

  it("D1: an answer that nobody knows the question is one: Nest's server says so", async () => {
    const client = await connect();
    client.links[0]!.reply(GO_AWAY);
    const call = ask(client.send('a', 1));
    await until(() => client.links.length === 2);
    const second = client.links[1]!;
    const { id } = second.hello as { id: string };
    second.reply({ id, status: 'error', err: 'There is no matching message handler' });
    reply(second, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it('D1: with another endpoint it uses that at once', async () => {
    const endpoints = [1, 2].map((port) => ({ host: '127.0.0.1', port }));
    const client = await connect({ host: undefined, port: undefined, endpoints });
    await until(() => client.links.length === 2);
    client.reactor.answer = 'ECONNREFUSED';
    client.links[0]!.reply(GO_AWAY);
    for (let index = 0; index < 3; index++) ask(client.send('a', index)).error?.toString();
    expect(client.links[0]!.sent).toEqual([]);
    expect(client.links[1]!.sent).toHaveLength(3);
  });

  it('D1: the last endpoint that goes has every other one dialled at once, whatever its back-off', async () => {
    const endpoints = [1, 2].map((port) => ({ host: '127.0.0.1', port }));
    const options = { host: undefined, port: undefined, endpoints, reconnect: { initialDelay: 60_000 } };
    const client = await connect(options);
    await until(() => client.links.length === 2);
    client.reactor.answer = 'ECONNREFUSED';
    greet(client.links[0]!);
    client.links[0]!.drop('peer');
    await turn();
    client.reactor.answer = undefined;
    client.links[1]!.reply(GO_AWAY);
    const call = ask(client.send('a', 1));
    await until(() => client.reactor.dials.length === 2);
    expect(client.reactor.dials.map(({ target }) => (target as { port: number }).port).sort()).toEqual([
      1, 2,
    ]);
    client.reactor.refuse('ECONNREFUSED', 2);
    await turn();
    expect(call).toEqual({});
    client.reactor.accept(1);
    await turn();
    reply(client.links.at(-1)!, client.links.at(-1)!.sent.length - 1, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it('D1: what is in flight fails when the connection breaks nevertheless', async () => {
    const client = await connect();
    const call = ask(client.send('a', 1));
    client.links[0]!.reply(GO_AWAY);
    client.links[0]!.drop('reset', 'ECONNRESET');
    await turn();
    expect(call.error).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST' });
  });

  it('D3: a request that is given up there is cancelled, and the last one ends the connection', async () => {
    const client = await connect();
    const [first] = client.links;
    greet(first!);
    const subscriptions = [1, 2].map((data) => client.send('a', data).subscribe());
    first!.reply(GO_AWAY);
    for (const each of subscriptions) each.unsubscribe();
    await until(() => first!.state === 'closing');
    expect(first!.sent.slice(2)).toMatchObject([{ pattern: 'gev:cancel' }, { pattern: 'gev:cancel' }]);
  });

  it('D3: what is given up before the server has introduced itself is cancelled when it has, then it hangs up', async () => {
    const client = await connect();
    const [first] = client.links;
    const subscription = client.send('a', 1).subscribe();
    first!.reply(GO_AWAY);
    subscription.unsubscribe();
    await turn();
    expect(first!.state).toBe('open');
    greet(first!);
    await until(() => first!.state === 'closing');
    expect(first!.sent.slice(1)).toMatchObject([{ pattern: 'gev:cancel' }]);
  });

  it('D3: close() cancels what is in flight there', async () => {
    const client = await connect();
    const [first] = client.links;
    greet(first!);
    const call = ask(client.send('a', 1));
    first!.reply(GO_AWAY);
    await client.close();
    await turn();
    expect(call.error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    expect(first!.sent.slice(1)).toMatchObject([{ pattern: 'gev:cancel' }]);
  });

  it('D1: events that the kernel has not taken yet keep it from hanging up', async () => {
    const client = await connect();
    const [first] = client.links;
    const event = ask(client.emit('e', 1));
    first!.reply(GO_AWAY);
    await until(() => client.links.length === 2);
    await turn();
    greet(client.links[1]!);
    expect(first!.state).toBe('open');
    first!.flush();
    expect(first!.state).toBe('closing');
    await turn();
    expect('value' in event).toBe(true);
  });

  it('D1: says hello on every new connection, and waits for no answer', async () => {
    const client = await connect();
    const call = ask(client.send('a', 1));
    expect(client.links[0]!.hello).toMatchObject({ pattern: 'gev:hello', data: { cancel: 1 } });
    reply(client.links[0]!, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it('D1: a go-away that comes together with the connection is heard', async () => {
    const client = create();
    const connected = client.connect();
    await until(() => client.reactor?.dials.length === 1);
    client.reactor.accept().reply(GO_AWAY); // before any promise has had its turn
    await until(() => client.reactor.dials.length === 1);
    expect(client.links[0]!.state).toBe('closing');
    client.reactor.accept();
    await until(() => client.links[1]!.hello !== undefined);
    greet(client.links[1]!);
    await connected;
    const call = ask(client.send('a', 1));
    expect(client.links[0]!.sent).toEqual([]);
    reply(client.links[1]!, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it('D1: close() fails a request whose packet is being made', async () => {
    const serialize = (packet: { pattern: unknown }): unknown =>
      packet.pattern === 'gev:hello' ? packet : new Promise(() => undefined);
    const client = await connect({ serializer: { serialize } });
    const call = ask(client.send('a', 1));
    await client.close();
    await turn();
    expect(call.error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
  });

  it.each([
    [false as const, ['connected', 'disconnected']],
    [undefined, ['connected', 'disconnected', 'reconnecting']],
  ])('D1: the status tells that the only server has gone (reconnect: %p)', async (reconnect, expected) => {
    const client = create({ reconnect }, 'accept');
    const seen: string[] = [];
    client.status.subscribe((status) => seen.push(status));
    await client.connect();
    client.reactor.answer = 'ECONNREFUSED';
    client.links[0]!.reply(GO_AWAY);
    await until(() => seen.length === expected.length);
    expect(seen).toEqual(expected);
  });

  it('D1: only so many connections wait for their last replies, then another has to end first', async () => {
    const client = await connect({ reconnect: { initialDelay: 1, maxDelay: 1 }, requestTimeout: 0 });
    for (let made = 1; made <= 16; made++) {
      await until(() => client.links.length === made);
      const link = client.links[made - 1]!;
      await until(() => link.hello !== undefined);
      greet(link);
      ask(client.send('a', made));
      link.reply(GO_AWAY);
    }
    const seventeenth = ask(client.send('a', 17));
    const resort = (): FakeClientConnection | undefined => client.links.find(({ sent }) => sent.length === 2);
    await until(() => resort() !== undefined);
    expect(await settled(() => client.links.length, 50)).toBe(16);
    client.links.find((link) => link !== resort())!.drop('reset', 'ECONNRESET');
    await until(() => client.links.length === 17);
    greet(client.links[16]!);
    const eighteenth = ask(client.send('a', 18));
    reply(client.links[16]!, 0, 'done');
    reply(resort()!, 1, 'done');
    await turn();
    expect([seventeenth, eighteenth]).toEqual([{ value: 'done' }, { value: 'done' }]);
  });

  it('D1: that it refuses new connections then is no news while there is another server', async () => {
    const lines: unknown[] = [];
    const endpoints = [1, 2].map((port) => ({ host: '127.0.0.1', port }));
    const logger = {
      log: () => undefined,
      warn: (line: unknown) => lines.push(line),
      error: (line: unknown) => lines.push(line),
    };
    const client = await connect({ host: undefined, port: undefined, endpoints, logger });
    let errors = 0;
    client.on('error', () => errors++);
    await until(() => client.links.length === 2);
    client.reactor.answer = 'ECONNREFUSED';
    client.links[0]!.reply(GO_AWAY);
    await until(() => errors > 0);
    expect(lines).toEqual([]);
  });

  it('D1: an answer to the hello that says so asks it to go, too', async () => {
    const client = await connect();
    const [first] = client.links;
    const call = ask(client.send('a', 1));
    greet(first!, { leaving: true });
    await until(() => client.links.length === 2);
    ask(client.send('a', 2));
    await until(() => client.links[1]!.hello !== undefined);
    expect(first!.sent).toHaveLength(1);
    greet(client.links[1]!);
    reply(first!, 0, 'one');
    await turn();
    expect(call).toEqual({ value: 'one' });
    expect(first!.state).toBe('closing');
  });

  it('D1: whoever answers there after the old connections have ended is trusted from then on', async () => {
    const client = await connect({ reconnect: { initialDelay: 1 } });
    client.links[0]!.reply(GO_AWAY);
    client.links[0]!.drop('local');
    await until(() => client.links.length === 2);
    greet(client.links[1]!);
    client.links[1]!.drop('reset', 'ECONNRESET');
    await until(() => client.links.length === 3);
    await turn();
    ask(client.send('a', 1));
    expect(client.links[2]!.sent).toHaveLength(1);
  });

  it('D1: nobody who answers within connectTimeout is no reason to leave the endpoint out', async () => {
    const endpoints = [1, 2].map((port) => ({ host: '127.0.0.1', port }));
    const options = { host: undefined, port: undefined, endpoints, connectTimeout: 50 };
    const client = await connect({ ...options, reconnect: { initialDelay: 1 } });
    await until(() => client.links.length === 2);
    client.links[0]!.reply(GO_AWAY);
    await until(() => client.links[2]?.state === 'closing');
    expect(client.stats().endpoints.map(({ ejected }) => ejected)).toEqual([false, false]);
    await until(() => client.links.length > 3);
    greet(client.links.at(-1)!);
    expect(client.stats().endpoints.map(({ state }) => state)).toEqual(['connected', 'connected']);
  });

  it('D1: close() ends what is to end, too', async () => {
    const client = await connect();
    const call = ask(client.send('a', 1));
    client.links[0]!.reply(GO_AWAY);
    await until(() => client.links.length === 2);
    await client.close();
    await turn();
    expect(call.error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    expect(client.links.map(({ state }) => state)).toEqual(['closing', 'closing']);
  });

  it('D1: without reconnect it dials when it is needed', async () => {
    const client = await connect({ reconnect: false });
    client.links[0]!.reply(GO_AWAY);
    await turn();
    const call = ask(client.send('a', 1));
    await until(() => client.links.length === 2);
    greet(client.links[1]!);
    reply(client.links[1]!, 0, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it.each([false, true])(
    'D1: a request whose connection is lost while its packet is being made goes out once (retry: %p)',
    async (retried) => {
      const retry = { attempts: 3, idempotent: true, delay: 1 };
      const made: (() => void)[] = [];
      const serialize = (packet: { pattern: unknown }): unknown =>
        packet.pattern === 'gev:hello' ? packet : new Promise((resolve) => made.push(() => resolve(packet)));
      const client = await connect({ serializer: { serialize }, reconnect: { initialDelay: 1 } });
      greet(client.links[0]!);
      const call = ask(client.send('a', retried ? new GevRecordBuilder(1).setRetry(retry).build() : 1));
      client.links[0]!.drop('reset', 'ECONNRESET');
      await until(() => client.links.length === 2);
      expect(call).toEqual({});
      made[0]!();
      await until(() => made.length === 2);
      made[1]!();
      const second = client.links[1]!;
      await until(() => second.sent.length > 0);
      expect(await settled(() => second.sent.length, 50)).toBe(1);
      reply(second, 0, 'done');
      await turn();
      expect(call).toEqual({ value: 'done' });
      expect(made).toHaveLength(2);
    },
  );
});

describe('a client whose only server goes, and nobody takes its place', () => {
  /** Asked to go, after a request, with nobody to connect to. */
  async function stranded(options: GevClientOptions = {}): Promise<[FakeClient, FakeClientConnection]> {
    const client = await connect({ reconnect: { initialDelay: 1, maxDelay: 1 }, ...options });
    const first = client.links[0]!;
    greet(first);
    ask(client.send('a', 'before'));
    reply(first, 0, 'before');
    client.reactor.answer = 'ECONNREFUSED';
    first.reply(GO_AWAY);
    return [client, first];
  }

  it.each([undefined, false as const])(
    'D1: its requests and events go on where they are answered, once each, until there is another (reconnect: %p)',
    async (reconnect) => {
      const [client, first] = await stranded(reconnect === false ? { reconnect } : {});
      for (const index of [1, 2, 3]) {
        const call = ask(client.send('a', index));
        await until(() => first.sent.length === index + 1);
        reply(first, index, index);
        await turn();
        expect(call).toEqual({ value: index });
      }
      const event = ask(client.emit('e', 4));
      await until(() => first.sent.length === 5);
      first.flush();
      await turn();
      expect('value' in event).toBe(true);
      const straggler = ask(client.send('a', 5));
      expect(first.sent).toHaveLength(6);

      client.reactor.answer = undefined;
      client.send('a', 6).subscribe(); // without reconnect somebody has to ask
      await until(() => client.reactor.dials.length > 0);
      const second = client.reactor.accept();
      await until(() => second.hello !== undefined);
      greet(second);
      const later = ask(client.send('a', 7));
      expect(second.sent.at(-1)).toMatchObject({ data: 7 });
      reply(first, first.sent.length - 1, 'six');
      reply(first, 5, 'five');
      expect(first.state).toBe('closing');
      reply(second, second.sent.length - 1, 'seven');
      await turn();
      expect([straggler, later]).toEqual([{ value: 'five' }, { value: 'seven' }]);
      expect(first.sent.map(({ data }) => data)).toEqual(['before', 1, 2, 3, 4, 5, 6]);
    },
  );

  it('D1: requests that wait while it cannot be told whether there is another are sent after a moment', async () => {
    const [client, first] = await stranded();
    client.reactor.answer = undefined; // a dial that nobody answers
    await until(() => client.reactor.dials.length === 1);
    const call = ask(client.send('a', 1));
    expect(first.sent).toHaveLength(1);
    await until(() => first.sent.length === 2);
    reply(first, 1, 'done');
    await turn();
    expect(call).toEqual({ value: 'done' });
  });

  it('D3: it hangs up when nobody has needed the connection for a while', async () => {
    const [client, first] = await stranded();
    ask(client.send('a', 1));
    await until(() => first.sent.length === 2);
    reply(first, 1, 'one');
    expect(first.state).toBe('open');
    await until(() => first.state === 'closing');
    const call = ask(client.send('a', 2));
    await until(() => call.error !== undefined);
    expect(call.error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(first.sent).toHaveLength(2);
  });

  it('D1: what is in flight there when the server says FIN fails, and is not repeated', async () => {
    const [client, first] = await stranded();
    const call = ask(client.send('a', 1));
    await until(() => first.sent.length === 2);
    first.end();
    await turn();
    expect(call.error).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'peer' });
    const later = ask(client.send('a', 2));
    await until(() => later.error !== undefined);
    expect(first.sent).toHaveLength(2);
  });

  it('D1: connect() resolves, for requests are answered', async () => {
    const [client, first] = await stranded();
    await client.connect();
    ask(client.send('a', 1));
    expect(first.sent).toHaveLength(2);
  });

  it('D1: a packet that was being made when the server asked is sent there', async () => {
    const made: (() => void)[] = [];
    const serialize = (packet: { pattern: unknown }): unknown =>
      packet.pattern === 'slow' ? new Promise((resolve) => made.push(() => resolve(packet))) : packet;
    const client = await connect({ serializer: { serialize }, reconnect: { initialDelay: 1 } });
    const first = client.links[0]!;
    greet(first);
    const outcomes = [ask(client.send('slow', 1)), ask(client.emit('slow', 2))];
    ask(client.send('a', 'before'));
    client.reactor.answer = 'ECONNREFUSED';
    first.reply(GO_AWAY);
    for (let index = 0; index < 2; index++) made[index]!();
    await until(() => made.length === 4);
    made[2]!();
    made[3]!();
    await until(() => first.sent.length === 3);
    reply(first, 1, 'done');
    first.flush();
    await turn();
    expect(outcomes).toEqual([{ value: 'done' }, { value: undefined }]);
  });
});
