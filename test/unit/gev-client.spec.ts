import { afterEach, describe, expect, it } from '@jest/globals';
import { ClientProxyFactory, ClientsModule, type ReadPacket } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, lastValueFrom, type Observable, take, toArray } from 'rxjs';
import type { ClientReactor } from '../../src/client/pool/reactor-on-demand.js';
import { GevClient } from '../../src/client/gev.client.js';
import type { GevClientOptions, ResolvedGevClientOptions } from '../../src/client/gev.client.options.js';
import { GevRecordBuilder } from '../../src/client/gev.record.js';
import type { ReactorHandler } from '../../src/core/reactor.js';
import { FakeClientReactor, turn } from './support/fake-client-reactor.js';
import { until } from './support/fake-reactor.js';

class FakeClient extends GevClient {
  readonly reactors: FakeClientReactor[] = [];

  constructor(options: GevClientOptions = {}) {
    const write = (line: string): void => void lines.push(line);
    super({ host: '127.0.0.1', port: 1, logger: { log: write, warn: write, error: write }, ...options });
    clients.push(this);
  }

  get connection() {
    return this.reactors.at(-1)!.connections.at(-1)!;
  }

  protected override createReactor(_: ResolvedGevClientOptions, handler: ReactorHandler): ClientReactor {
    const reactor = new FakeClientReactor(handler);
    reactor.answer = 'accept';
    this.reactors.push(reactor);
    return reactor;
  }
}

let lines: string[] = [];
const clients: FakeClient[] = [];

// What is under way keeps the process alive.
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));

async function connect(options?: GevClientOptions) {
  lines = [];
  const client = new FakeClient(options);
  await client.connect();
  return { client, connection: client.connection };
}

/** What an Observable tells, in order. */
function record(source: Observable<unknown>) {
  const seen: unknown[] = [];
  const subscription = source.subscribe({
    next: (value) => seen.push(value),
    error: (error: { code?: string }) => seen.push(error?.code ?? error),
    complete: () => seen.push('end'),
  });
  return { seen, subscription };
}

describe('a request', () => {
  it('is sent with each subscription, under an id of its own, in the words of Nest', async () => {
    const { client, connection } = await connect();
    const source = client.send({ cmd: 'sum' }, [1, 2]);
    expect(connection.texts).toEqual([]);
    const replies = [firstValueFrom(source), firstValueFrom(source)];
    expect(connection.texts).toEqual([
      '{"pattern":{"cmd":"sum"},"data":[1,2],"id":"2"}',
      '{"pattern":{"cmd":"sum"},"data":[1,2],"id":"3"}',
    ]);
    connection.reply({ response: 'second', isDisposed: true, id: '3' });
    connection.reply({ response: 'first', isDisposed: true, id: '2' });
    expect(await Promise.all(replies)).toEqual(['first', 'second']);
    expect(client.stats()).toMatchObject({ inFlight: 0, lateReplies: 0 });
  });

  it.each<[string, object[], unknown[]]>([
    ['a value and the end', [{ response: 5, isDisposed: true }], [5, 'end']],
    ['null', [{ response: null, isDisposed: true }], [null, 'end']],
    ['the end alone', [{ isDisposed: true }], ['end']],
    ['values, then the end', [{ response: 1 }, { response: 2 }, { isDisposed: true }], [1, 2, 'end']],
    ['an error', [{ err: 'no', isDisposed: true }], ['no']],
    ['an error without the end', [{ err: { status: 'error' }, response: 5 }], [{ status: 'error' }]],
    ['nobody there', [{ status: 'error', err: 'no handler' }], ['no handler']],
    ['an error that is none', [{ err: null, response: 5 }, { isDisposed: true }], [5, 'end']],
    ['a stranger', [{ answer: 42 }], [{ answer: 42, id: '2' }, 'end']],
  ])('is told %s as by the client of Nest', async (_, replies, expected) => {
    const { client, connection } = await connect();
    const { seen } = record(client.send('x', 1));
    for (const reply of replies) connection.reply({ ...reply, id: '2' });
    expect(seen).toEqual(expected);
    expect(client.stats().inFlight).toBe(0);
  });

  it.each<[unknown, unknown]>([
    [undefined, 1],
    [null, 1],
    ['x', undefined],
    ['x', null],
    ['x', new GevRecordBuilder().build()],
  ])('of %p with %p is refused as by the client of Nest', async (pattern, data) => {
    const { client, connection } = await connect();
    for (const source of [client.send(pattern, data), client.emit(pattern, data)]) {
      await expect(firstValueFrom(source)).rejects.toThrow('The invalid data or message pattern');
    }
    expect(connection.texts).toEqual([]);
  });

  it('that JSON has no text for fails alone', async () => {
    const { client, connection } = await connect();
    await expect(firstValueFrom(client.send('x', 1n))).rejects.toBeInstanceOf(TypeError);
    await expect(firstValueFrom(client.emit('x', 1n))).rejects.toBeInstanceOf(TypeError);
    expect(client.stats().inFlight).toBe(0);
    record(client.send('x', 2));
    expect(connection.texts).toHaveLength(1);
  });

  it('connects by itself', async () => {
    const client = new FakeClient();
    const reply = firstValueFrom(client.send('x', 1));
    expect(client.stats()).toMatchObject({ queued: 1 });
    await turn();
    client.connection.reply({ response: 5, isDisposed: true, id: '2' });
    expect(await reply).toBe(5);
  });

  it('L4: fails when no reply comes in time; one that comes late is dropped and counted', async () => {
    const { client, connection } = await connect({ requestTimeout: 20 });
    const error = await firstValueFrom(client.send({ cmd: 'slow' }, 1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_GEV_TIMEOUT', pattern: { cmd: 'slow' }, ms: 20 });
    expect((error as Error).message).toContain('No reply to {"cmd":"slow"} within 20 ms');
    connection.reply({ response: 5, isDisposed: true, id: '2' });
    expect(client.stats()).toMatchObject({ inFlight: 0, timeouts: 1, lateReplies: 1 });
  });

  it('L4: that has begun to be answered is not timed any more', async () => {
    const { client, connection } = await connect({ requestTimeout: 20 });
    const { seen } = record(client.send('stream', 1));
    connection.reply({ response: 1, id: '2' });
    const slow = firstValueFrom(client.send('slow', 1)).catch(() => 'late');
    expect(await slow).toBe('late');
    connection.reply({ response: 2, isDisposed: true, id: '2' });
    expect(seen).toEqual([1, 2, 'end']);
  });

  it('L4: may have a time of its own', async () => {
    const { client } = await connect();
    const data = new GevRecordBuilder(1).setTimeout(20).build();
    await expect(firstValueFrom(client.send('x', data))).rejects.toMatchObject({ ms: 20 });
  });

  it('L3: that is given up frees its id, and is told to a server that can be told', async () => {
    const { client, connection } = await connect();
    const streams = [record(client.send('a', 1)), record(client.send('b', 1))];
    for (const { subscription } of streams) subscription.unsubscribe();
    expect(client.stats().inFlight).toBe(0);
    await turn();
    expect(connection.hello).toEqual({ pattern: 'gev:hello', data: { cancel: 1 }, id: '1' });
    expect(connection.sent.slice(2)).toEqual([]);
    connection.reply({ response: 5, isDisposed: true, id: '3' });
    connection.reply({ response: { cancel: 1 }, isDisposed: true, id: '1' });
    await turn();
    expect(connection.sent.slice(2)).toEqual([{ pattern: 'gev:cancel', data: '2' }]);
    expect(client.stats().lateReplies).toBe(1);
    connection.reply({ response: 5, id: '2' });
    expect(client.stats().lateReplies).toBe(2);
  });

  it('L3: that has its last reply is not given up', async () => {
    const { client, connection } = await connect();
    const one = firstValueFrom(client.send('x', 1));
    connection.reply({ response: 5, isDisposed: true, id: '2' });
    await one;
    const some = lastValueFrom(client.send('x', 1).pipe(take(2), toArray()));
    connection.reply({ response: 5, id: '3' });
    connection.reply({ response: 6, isDisposed: true, id: '3' });
    expect(await some).toEqual([5, 6]);
    await turn();
    expect(connection.sent).toHaveLength(2);
  });

  it('ends with its signal', async () => {
    const { client, connection } = await connect();
    const controller = new AbortController();
    const data = new GevRecordBuilder(1).setSignal(controller.signal).build();
    const { seen } = record(client.send('x', data));
    controller.abort('enough');
    expect(seen).toEqual(['ERR_GEV_ABORTED']);
    await expect(firstValueFrom(client.send('x', data))).rejects.toMatchObject({ cause: 'enough' });
    await turn();
    expect(connection.sent.map(({ pattern }) => pattern as unknown)).toEqual(['x']);
  });

  it('whose response cannot be made what the subscriber is to see fails alone', async () => {
    class Strict extends FakeClient {
      protected override serializeResponse(response: unknown): unknown {
        if (response === 'bad') throw new Error('bad response');
        return response;
      }
    }
    lines = [];
    const client = new Strict();
    await client.connect();
    const bad = record(client.send('x', 1));
    const good = record(client.send('x', 2));
    client.connection.reply({ response: 'bad', isDisposed: true, id: '2' });
    client.connection.reply({ response: 'good', isDisposed: true, id: '3' });
    expect(good.seen).toEqual(['good', 'end']);
    expect(bad.seen).toEqual([new Error('bad response')]);
    expect(client.stats().inFlight).toBe(0);
  });
});

describe('an event', () => {
  it('is sent at once, with the pattern as Nest normalises it, and completes when the kernel has it', async () => {
    const { client, connection } = await connect();
    const { seen } = record(client.emit({ b: 1, a: 'x' }, 5));
    client.emit('unheard', 6);
    expect(connection.texts).toEqual([
      JSON.stringify({ pattern: '{"a":"x","b":1}', data: 5 }),
      '{"pattern":"unheard","data":6}',
    ]);
    expect(seen).toEqual([]);
    connection.flush();
    expect(seen).toEqual([undefined, 'end']);
  });

  it('fails when the connection is lost before the kernel has it', async () => {
    const { client, connection } = await connect();
    const { seen } = record(client.emit('x', 5));
    connection.drop('reset');
    expect(seen).toEqual(['ERR_GEV_CONNECTION_CLOSED']);
  });

  it('waits for a connection no longer than a request', async () => {
    const client = new FakeClient({ requestTimeout: 20, offlineQueue: 5 });
    await client.connect();
    client.reactors[0]!.answer = 'ECONNREFUSED';
    client.connection.drop();
    await turn();
    await expect(firstValueFrom(client.emit('x', 1))).rejects.toMatchObject({ code: 'ERR_GEV_TIMEOUT' });
    expect(client.stats().queued).toBe(0);
    await client.close();
  });
});

describe('metadata', () => {
  it('travels behind the rest of the packet', async () => {
    const { client, connection } = await connect();
    const data = new GevRecordBuilder().setData([1]).setMetadata({ trace: 'a' }).build();
    record(client.send('x', data));
    client.emit('y', data);
    expect(connection.texts).toEqual([
      '{"pattern":"x","data":[1],"id":"2","metadata":{"trace":"a"}}',
      '{"pattern":"y","data":[1],"metadata":{"trace":"a"}}',
    ]);
  });

  it('of the dispatch hook of Nest joins that of the record, which wins', async () => {
    const { client, connection } = await connect();
    const packets: unknown[] = [];
    client.setOnDispatchHook((packet: ReadPacket) => {
      packets.push({ ...packet });
      packet.metadata = { trace: 'hook', span: '1' };
    });
    record(client.send('x', 1));
    record(client.send('x', new GevRecordBuilder(2).setMetadata({ trace: 'own' }).build()));
    client.emit('y', 3);
    expect(packets).toEqual([
      { pattern: 'x', data: 1 },
      { pattern: 'x', data: 2 },
      { pattern: 'y', data: 3 },
    ]);
    expect(connection.sent.map(({ metadata }) => metadata as unknown)).toEqual([
      { trace: 'hook', span: '1' },
      { trace: 'own', span: '1' },
      { trace: 'hook', span: '1' },
    ]);
  });

  it('and the other options of a record are checked when it is built', () => {
    const builder = new GevRecordBuilder(1);
    expect(() => builder.setTimeout(-1)).toThrow('Option "timeout" must be');
    expect(() => builder.setMetadata(null as never)).toThrow('Option "metadata" must be');
    expect(() => builder.setSignal({} as never)).toThrow('Option "signal" must be');
  });
});

describe('a serializer and a deserializer', () => {
  const options = (late: boolean): GevClientOptions => {
    const maybe = <Value>(value: Value) => (late ? Promise.resolve(value) : value);
    return {
      serializer: { serialize: (packet) => maybe({ v: 1, packet }) },
      deserializer: { deserialize: (value) => maybe((value as { packet: unknown }).packet) },
    };
  };

  it.each([false, true])('of the application have the say (late: %p)', async (late) => {
    const { client, connection } = await connect(options(late));
    const { seen } = record(client.send('x', 1));
    const events = record(client.emit('y', 2));
    await until(() => connection.texts.length === 2);
    expect(connection.sent).toEqual([
      { v: 1, packet: { pattern: 'x', data: 1, id: '2' } },
      { v: 1, packet: { pattern: 'y', data: 2 } },
    ]);
    connection.reply({ packet: { response: 5, id: '2' } });
    connection.reply({ packet: { response: 6, isDisposed: true, id: '2' } });
    connection.flush();
    await until(() => seen.length === 3 && events.seen.length === 2);
    expect(seen).toEqual([5, 6, 'end']);
  });

  it('keep the order of the replies, whatever time each takes', async () => {
    let delay = 30;
    const { client, connection } = await connect({
      deserializer: {
        deserialize: async (value) => {
          await new Promise((resolve) => setTimeout(resolve, (delay -= 10)));
          return value;
        },
      },
    });
    const { seen } = record(client.send('x', 1));
    for (const response of [1, 2]) connection.reply({ response, id: '2' });
    connection.reply({ isDisposed: true, id: '2' });
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 'end']);
  });

  it('that fail, fail what they were asked for and nothing else', async () => {
    const { client, connection } = await connect({
      serializer: {
        serialize(packet) {
          if ((packet as ReadPacket).data === 'bad') throw new Error('not this');
          return packet;
        },
      },
      deserializer: {
        deserialize(value) {
          if ((value as { response: unknown }).response === 'bad') throw new Error('nor that');
          return value;
        },
      },
    });
    await expect(firstValueFrom(client.send('x', 'bad'))).rejects.toThrow('not this');
    const reply = firstValueFrom(client.send('x', 'good'));
    connection.reply({ response: 'bad', isDisposed: true, id: '3' });
    expect(lines.join()).toContain('nor that');
    connection.reply({ response: 'good', isDisposed: true, id: '3' });
    expect(await reply).toBe('good');
  });
});

describe('the connection', () => {
  it('L1: takes what is in flight with it, a request that is repeated at once included', async () => {
    const { client, connection } = await connect();
    const { seen } = record(client.send('x', 1));
    connection.drop('reset', 'ECONNRESET');
    expect(seen).toEqual(['ERR_GEV_CONNECTION_LOST']);
  });

  it('ends with a reply that is no JSON', async () => {
    const { client, connection } = await connect();
    const errors: unknown[] = [];
    client.on('error', (error, endpoint) => errors.push([error.code, endpoint]));
    const { seen } = record(client.send('x', 1));
    connection.text('{"response":');
    expect(connection.closeReason).toBe('protocol');
    expect(seen).toEqual(['ERR_GEV_CONNECTION_LOST']);
    expect(errors).toEqual([['ERR_GEV_INVALID_REPLY', { host: '127.0.0.1', port: 1 }]]);
  });

  it('brings replies that nobody asked for, and they are dropped', async () => {
    const { client, connection } = await connect();
    for (const text of [
      'null',
      '0',
      '[]',
      '{}',
      '{"id":"7"}',
      '{"response":1,"id":7}',
      '{"id":{"a":1},"err":1}',
    ]) {
      connection.text(text);
    }
    expect(client.stats().lateReplies).toBe(7);
    expect(connection.state).toBe('open');
  });
});

describe('the client', () => {
  it('begins anew after close', async () => {
    const { client, connection } = await connect();
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    const { seen } = record(client.send('x', 1));
    const closed = client.close();
    expect(client.close()).toBe(closed);
    expect(seen).toEqual(['ERR_GEV_CLIENT_CLOSED']);
    connection.drop('local');
    await closed;
    await client.close();
    expect(() => client.unwrap()).toThrow(expect.objectContaining({ code: 'ERR_GEV_NOT_CONNECTED' }));
    expect(client.stats().endpoints).toEqual([
      {
        address: '127.0.0.1:1',
        state: 'idle',
        connections: 0,
        inFlight: 0,
        bufferedBytes: 0,
        ejected: false,
      },
    ]);

    const reply = firstValueFrom(client.send('x', 1));
    await turn();
    expect(client.reactors).toHaveLength(2);
    client.connection.reply({ response: 5, isDisposed: true, id: '4' }); // 1 and 3 were the first words on the two connections
    expect(await reply).toBe(5);
    expect(statuses).toEqual(['connected', 'disconnected', 'connected']);
    expect(client.unwrap().connections).toEqual([client.connection]);
  });

  it('closes before it was ever used', async () => {
    await new FakeClient().close();
  });

  it('answers the hooks of subclasses of Nest', async () => {
    class Wrapping extends FakeClient {
      protected override serializeError(error: unknown): unknown {
        return { wrapped: error };
      }
      viaPublish(callback: (packet: object) => void): () => void {
        return this.publish({ pattern: 'x', data: 1 }, callback);
      }
      viaDispatch(): Promise<unknown> {
        return this.dispatchEvent({ pattern: 'y', data: 2 });
      }
    }
    const client = new Wrapping();
    await client.connect();
    const { seen } = record(client.send('x', 1));
    client.connection.reply({ err: 'no', id: '2' });
    expect(seen).toEqual([{ wrapped: 'no' }]);

    const packets: object[] = [];
    client.viaPublish((packet) => packets.push(packet));
    client.connection.reply({ response: 5, isDisposed: true, id: '3' });
    expect(packets).toEqual([{ response: 5 }, { isDisposed: true }]);
    const dispatched = client.viaDispatch();
    client.connection.flush();
    await dispatched;
    expect(client.connection.sent.at(-1)).toEqual({ pattern: 'y', data: 2 });
  });

  it('is made by the factory and the module of Nest', async () => {
    const options = { host: '127.0.0.1', port: 5 };
    expect(ClientProxyFactory.create({ customClass: GevClient, options })).toBeInstanceOf(GevClient);
    expect(ClientProxyFactory.create({ customClass: GevClient })).toBeInstanceOf(GevClient);
    const module = await Test.createTestingModule({
      imports: [
        ClientsModule.register([{ name: 'A', customClass: GevClient, options }]),
        ClientsModule.registerAsync([
          { name: 'B', useFactory: () => ({ customClass: GevClient, options: { ...options, port: 6 } }) },
        ]),
      ],
    }).compile();
    expect(module.get<GevClient>('A').stats().endpoints[0]!.address).toBe('127.0.0.1:5');
    expect(module.get<GevClient>('B').stats().endpoints[0]!.address).toBe('127.0.0.1:6');
    await module.close();
    const wrong = { customClass: GevClient, options: { prot: 5 } };
    expect(() => ClientProxyFactory.create(wrong)).toThrow('did you mean "port"?');
  });

  it('tells its listeners, and bears what they throw', async () => {
    const client = new FakeClient();
    const seen: unknown[] = [];
    lines = [];
    client
      .on('connect', (endpoint, connection) => seen.push(['connect', endpoint, connection]))
      .on('disconnect', (endpoint, error) => seen.push(['disconnect', endpoint, error.reason]))
      .on('reconnecting', (endpoint, delay) => seen.push(['reconnecting', endpoint, delay > 0]))
      .on('connect', () => {
        throw new Error('a listener');
      });
    await client.connect();
    await turn();
    client.connection.drop('peer');
    const endpoint = { host: '127.0.0.1', port: 1 };
    expect(seen).toEqual([
      ['connect', endpoint, client.connection],
      ['disconnect', endpoint, 'peer'],
      ['reconnecting', endpoint, true],
    ]);
    expect(lines[0]).toContain('a listener');
    await client.close();
  });
});
