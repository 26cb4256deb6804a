import { describe, expect, it } from '@jest/globals';
import { Controller, UseFilters } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import fc from 'fast-check';
import {
  errorCodec,
  GevCodecMismatchError,
  GevExceptionFilter,
  type GevClientOptions,
  GevInvalidReplyError,
  GevOverloadedError,
  GevRecordBuilder,
  type GevServerOptions,
  lengthField,
  line,
  nestJson,
  nestPackets,
  OnMessage,
  raw,
} from 'nestjs-gev';
import { msgpack } from 'nestjs-gev/msgpack';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { firstValueFrom, from, lastValueFrom, NEVER, type Observable, throwError, toArray } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { framed, MsgpackPeer, packed } from '../kit/msgpack.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { serveRpc as serveHandlers } from '../kit/rpc-service.js';
import { nestClient } from '../kit/rpc.js';
import { serve } from '../kit/serve.js';
import { pause, until } from '../kit/until.js';

const codec = msgpack();
const ignore = (): void => undefined;

@Controller()
@UseFilters(new GevExceptionFilter({ log: ignore, warn: ignore, error: ignore }))
class Echo {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('things.*.part')
  part(@Payload() data: unknown): unknown {
    return { part: data };
  }

  @MessagePattern('values')
  values(@Payload() values: unknown[]): Observable<unknown> {
    return from(values);
  }

  @MessagePattern('fails')
  fails(): Observable<never> {
    return throwError(() => Object.assign(new RangeError('out of it'), { code: 'E_RANGE' }));
  }

  @MessagePattern('cyclic')
  cyclic(): unknown {
    const value: Record<string, unknown> = {};
    value.self = value;
    return value;
  }

  @MessagePattern('never')
  never(): Observable<never> {
    return NEVER;
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    events.push(data);
  }
}

const events: unknown[] = [];

const service = (options: GevServerOptions = {}) =>
  serve({ codec, drainTimeout: 100, ...options }, { controllers: [Echo] });
const client = (port: number, options: GevClientOptions = {}) => clientOf({ port, codec, ...options });

/** A server of bytes, on a free port. */
async function listener(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onCleanup(() => socket.destroy());
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  onCleanup(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Passes on what comes, both ways, cut anywhere. */
function chopper(port: number, seed: number): Promise<number> {
  const next = random(seed);
  const chop = (into: Socket) => (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      const size = next(2) === 0 ? 1 + next(3) : 1 + next(1000);
      into.write(chunk.subarray(at, (at += size)));
    }
  };
  return listener((socket) => {
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    onCleanup(() => server.destroy());
    server.on('error', () => undefined);
    socket.setNoDelay(true).on('data', chop(server));
    server.on('data', chop(socket));
  });
}

describe.each([0, 1])('msgpack(), loops: %d', (loops) => {
  it('P1: carries requests, streams, errors, events, metadata and patterns of every kind', async () => {
    const handlers = await serveHandlers('GevServer', { codec, loops });
    const math = client(handlers.port);
    const all = (pattern: unknown, data: unknown) => lastValueFrom(math.send(pattern, data).pipe(toArray()));
    expect(await all('sum', [1, 2, 3])).toEqual([6]);
    expect(await all('count', 3)).toEqual([1, 2, 3]);
    expect(await all('nothing', 0)).toEqual([]);
    expect(await all({ cmd: 'echo' }, 'text')).toEqual(['text']);
    await expect(all('fail', { why: 'so' })).rejects.toEqual({ why: 'so' });
    await expect(all('nobody', 1)).rejects.toBe(
      'There is no matching message handler defined in the remote service.',
    );
    const record = new GevRecordBuilder(0).setMetadata({ tenant: 'a' }).build();
    expect(await all('metadata', record)).toEqual([{ tenant: 'a' }]);
    await lastValueFrom(math.emit({ topic: 'note' }, { n: 1 }), { defaultValue: undefined });
    await until(() => handlers.events.length === 1);
    expect(handlers.events).toEqual([{ n: 1 }]);
  });

  it('P1: tells a server of streams and requests that are given up', async () => {
    const handlers = await serveHandlers('GevServer', { codec, loops });
    const math = client(handlers.port);
    const ticks = new Subscriber(math.send('ticks', 1));
    const never = new Subscriber(math.send('never', 0));
    await until(() => ticks.seen.length > 2);
    ticks.leave();
    never.leave();
    await until(() => handlers.streams() === 0 && handlers.aborted() === 1);
    expect(handlers.lines).toEqual([]);
  });

  it('P1: has clients of a server that stops go elsewhere', async () => {
    const [first, second] = [await service({ loops }), await service({ loops })];
    const both = clientOf({
      codec,
      endpoints: [first, second].map(({ port }) => ({ host: '127.0.0.1', port })),
      connections: 1,
    });
    await both.connect();
    expect(await firstValueFrom(both.send('echo', 1))).toBe(1);
    await first.close();
    for (let i = 0; i < 20; i++) expect(await firstValueFrom(both.send('echo', i))).toBe(i);
  });

  it('P1: reaches handlers of patterns with wildcards, and shows frames to @OnMessage', async () => {
    const seen: Buffer[] = [];
    @Controller()
    class Watch {
      @OnMessage()
      watch(@Payload() frame: Buffer): string {
        seen.push(frame);
        frame.fill(0, 0, 1); // a copy of its own
        return 'not sent';
      }
    }
    const watched = await serve({ codec, loops }, { controllers: [Echo, Watch] });
    const peer = await MsgpackPeer.connect(watched.port);
    peer.send({ pattern: 'things.7.part', data: 'x', id: '1' });
    expect(await peer.next()).toEqual({ response: { part: 'x' }, isDisposed: true, id: '1' });
    expect(seen).toHaveLength(1);
    peer.send({ pattern: 'echo', data: 1, id: '2' });
    expect(await peer.next()).toEqual({ response: 1, isDisposed: true, id: '2' });
  });

  it('P1: keeps binary data, dates and integers of 64 bits; leaves out what JSON leaves out', async () => {
    const echo = client((await service({ loops })).port);
    const back = (data: unknown) => firstValueFrom(echo.send('echo', data));
    const bytes = Buffer.from([0, 255, 1, 254]);
    expect(await back({ bytes })).toEqual({ bytes });
    expect(Buffer.isBuffer(await back(new Uint8Array([1, 2])))).toBe(true);
    const large = Buffer.alloc(300_000, 'abc');
    expect(bytes.equals(((await back([bytes, large])) as Buffer[])[0]!)).toBe(true);
    expect(((await back([bytes, large])) as Buffer[])[1]!.equals(large)).toBe(true);
    expect(await back(new Date(1_700_000_000_123))).toEqual(new Date(1_700_000_000_123));
    expect(await back({ big: 2n ** 63n, small: 5n })).toEqual({ big: 2n ** 63n, small: 5 });
    expect(await back(new Map([['a', 1]]))).toEqual({ a: 1 });
    expect(await back({ gone: undefined, list: [undefined], at: new Date(NaN) })).toEqual({
      list: [null],
      at: null,
    });
    expect(await back({ toJSON: 1, nested: { deep: [{ a: -0.5, b: 2 ** 40, c: 'é漢😀' }] } })).toEqual({
      toJSON: 1,
      nested: { deep: [{ a: -0.5, b: 2 ** 40, c: 'é漢😀' }] },
    });
  });

  it('P1: data that looks like a packet or a reply is data', async () => {
    const echo = client((await service({ loops })).port);
    for (const data of [
      { pattern: 'values', data: [1], id: '1' },
      { err: 'x', isDisposed: true, id: '1' },
      { response: 1, id: '2', status: 'gev:not-begun' },
      { pattern: 'gev:goaway', data: {} },
    ]) {
      expect(await firstValueFrom(echo.send('echo', data))).toEqual(data);
    }
  });

  it('P1: what was received stays as it is, however much comes after it', async () => {
    const kept: Buffer[] = [];
    @Controller()
    class Keep {
      @MessagePattern('keep')
      keep(@Payload() data: Buffer): number {
        return kept.push(data);
      }
    }
    const keeper = client((await serve({ codec, loops }, { controllers: [Keep] })).port);
    const sent = Array.from({ length: 500 }, (_, index) => Buffer.alloc(1 + (index % 300), index));
    await Promise.all(sent.map((data) => firstValueFrom(keeper.send('keep', data))));
    expect(kept.every((data, index) => data.equals(sent[index]!))).toBe(true);
  });

  it('R1: random values survive the way there and back, cut anywhere', async () => {
    const { port } = await service({ loops });
    const echo = client(await chopper(port, 7 + loops));
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
        fc.string({ unit: 'grapheme', maxLength: 80 }),
        fc.double({ noNaN: true }).map((number) => number + 0),
        fc.array(tie('any'), { maxLength: 20 }),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          tie('any'),
        ),
      ),
    })).any;
    const exact = value.filter((data) => data !== null && !hasNegativeZero(data));
    await fc.assert(
      fc.asyncProperty(fc.array(exact, { minLength: 1, maxLength: 8 }), async (values) => {
        const replies = await Promise.all(values.map((data) => firstValueFrom(echo.send('echo', data))));
        expect(replies).toEqual(values);
        expect(await lastValueFrom(echo.send('values', values).pipe(toArray()))).toEqual(values);
      }),
      { numRuns: 60, seed: 11 },
    );
  });

  it.each<[string, Buffer, RegExp]>([
    ['arrays nested too deeply', Buffer.alloc(72_000, 0x91), /nested more than 100 deep/],
    ['maps nested too deeply', Buffer.from('81a161'.repeat(30_000), 'hex'), /nested more than 100 deep/],
    [
      'large arrays within each other',
      Buffer.from('dcffff'.repeat(24_000), 'hex'),
      /more than 1000000 elements/,
    ],
    ['an array of 2^32 elements', Buffer.from('ddffffffff01', 'hex'), /end of the frame/],
    ['a map of 2^32 elements', Buffer.from('dfffffffff01', 'hex'), /end of the frame/],
    ['a string of 2^32 bytes', Buffer.from('dbffffffff01', 'hex'), /end of the frame/],
    ['bytes that are more than there are', Buffer.from('c6ffffffff01', 'hex'), /end of the frame/],
    [
      'more elements than may be',
      Buffer.concat([Buffer.from('dd001e8480', 'hex'), Buffer.alloc(2_000_000)]),
      /more than 1000000 elements/,
    ],
    ['an extension type', Buffer.from('d40100', 'hex'), /0xd4/],
    ['a record of msgpackr', Buffer.from('d472409 1a16101'.replace(' ', ''), 'hex'), /0xd4/],
    ['a set of msgpackr', Buffer.from('c7027391 01'.replace(' ', ''), 'hex'), /extension of type 115/],
    ['bundled strings of msgpackr', Buffer.from('d66200000000', 'hex'), /extension of type 98/],
    ['a regular expression', Buffer.from('c70378a12b', 'hex'), /extension of type 120/],
    ['a date of five bytes', Buffer.from('c705ff0000000000', 'hex'), /extension of type -1 and 5 bytes/],
    ['the byte that is never used', Buffer.from('c1', 'hex'), /0xc1/],
    ['a lone byte in a short string', Buffer.from('a2c328', 'hex'), /no UTF-8/],
    ['a lone byte in a long string', Buffer.from(`d940${'61'.repeat(63)}ff`, 'hex'), /no UTF-8/],
    ['a surrogate in a key', Buffer.from('81a3eda08001', 'hex'), /no UTF-8/],
    ['a map as a key', Buffer.from('818001', 'hex'), /Invalid property type/],
    ['a value and more', Buffer.from('0101', 'hex'), /1 bytes behind/],
    ['nothing', Buffer.alloc(0), /end of the frame/],
    ['part of a number', Buffer.from('cb3ff0', 'hex'), /end of the frame/],
  ])('R3: %s: ends that connection, reason protocol', async (_, content, message) => {
    const echo = await service({ loops });
    const other = await MsgpackPeer.connect(echo.port);
    await echo.connection(0);
    const peer = await MsgpackPeer.connect(echo.port);
    peer.peer.write(Buffer.concat([packed({ pattern: 'echo', data: 1, id: '1' }), framed(content)]));
    expect(await peer.next()).toEqual({ response: 1, isDisposed: true, id: '1' });
    await until(() => peer.peer.ended);
    const connection = await echo.connection(1);
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('protocol');
    expect(echo.lines.join('\n')).toMatch(message);
    expect(echo.lines.join('\n')).toContain('it sent no msgpack');
    other.send({ pattern: 'echo', data: 2, id: '2' });
    expect(await other.next()).toEqual({ response: 2, isDisposed: true, id: '2' });
  });

  it('R3: keys that would change prototypes are plain members, or refused', async () => {
    const echo = await service({ loops });
    const peer = await MsgpackPeer.connect(echo.port);
    const polluted = Buffer.from(
      '83a77061747465726ea46563686fa464617461' +
        '82a95f5f70726f746f5f5f81a178' +
        '01' +
        'ab636f6e7374727563746f7281a970726f746f747970658 1a17801'.replace(' ', '') +
        'a26964a131',
      'hex',
    );
    peer.peer.write(framed(polluted));
    const { response } = await peer.next();
    expect(({} as { x?: unknown }).x).toBeUndefined();
    expect(Object.getPrototypeOf(response)).toBe(Object.prototype);
    expect(response.constructor).toEqual({ prototype: { x: 1 } });
  });

  it('R3: odd packets are answered or logged as with nestJson()', async () => {
    const echo = await service({ loops });
    const peer = await MsgpackPeer.connect(echo.port);
    peer.send(
      null,
      [],
      5,
      'text',
      {},
      { data: 1 },
      { pattern: {}, data: 1 },
      { id: [1] },
      { pattern: 'nobody', id: 7 },
    );
    const nobody = 'There is no matching message handler defined in the remote service.';
    expect(await peer.next()).toEqual({ id: [1], status: 'error', err: nobody });
    expect(await peer.next()).toEqual({ id: 7, status: 'error', err: nobody });
    peer.send({ pattern: 'echo', data: { pattern: 'x', data: 1, id: 3 }, id: '8' });
    expect((await peer.next()).response).toEqual({ pattern: 'x', data: 1, id: 3 });
  });

  it('P1: a client is asked nothing that it would not answer', async () => {
    const echo = await service({ loops });
    expect(await firstValueFrom(client(echo.port).send('echo', 1))).toBe(1);
    const connection = await echo.connection(0);
    await expect(connection.request(Buffer.from([1]))).rejects.toMatchObject({
      option: 'match',
      message: expect.stringContaining('msgpack'),
    });
  });

  it('P1: a reply that cannot be written is an error for its caller', async () => {
    const echo = await service({ loops });
    const peer = client(echo.port);
    await expect(firstValueFrom(peer.send('cyclic', 1))).rejects.toEqual({
      status: 'error',
      message: 'The reply could not be serialized',
    });
    expect(await firstValueFrom(peer.send('echo', 1))).toBe(1);
    await expect(firstValueFrom(peer.send('echo', { big: 2n ** 70n }))).rejects.toThrow('too large');
    const small = await service({ loops, maxFrameLength: 1000 });
    const other = client(small.port);
    await expect(firstValueFrom(other.send('values', [Buffer.alloc(400), 'x']))).resolves.toHaveLength(400);
    await expect(
      firstValueFrom(client(small.port, { maxFrameLength: 100 }).send('echo', Buffer.alloc(400))),
    ).rejects.toMatchObject({ code: 'ERR_GEV_FRAME_TOO_LONG' });
  });

  it('P1: the word of an error codec survives', async () => {
    const errors = errorCodec({ classes: [RangeError], unexpected: true });
    const echo = await service({ loops, errors });
    const failed = firstValueFrom(client(echo.port, { errors }).send('fails', 1));
    await expect(failed).rejects.toBeInstanceOf(RangeError);
    await expect(failed).rejects.toMatchObject({ message: 'out of it', code: 'E_RANGE' });
  });

  it.each(['at once', 'in their time'])(
    'P1: serializers and deserializers of both sides, %s',
    async (when) => {
      const work = (make: (value: any) => unknown) => (value: unknown) =>
        when === 'at once' ? make(value) : pause(1).then(() => make(value));
      const pair = {
        serializer: { serialize: work((packet) => ({ v: Buffer.from('v'), packet })) },
        deserializer: { deserialize: work(({ v, packet }) => (Buffer.isBuffer(v) ? packet : {})) },
      };
      const echo = client((await service({ loops, ...pair })).port, pair);
      expect(await firstValueFrom(echo.send('echo', Buffer.from('b')))).toEqual(Buffer.from('b'));
      expect(await lastValueFrom(echo.send('values', [1, 2, 3]).pipe(toArray()))).toEqual([1, 2, 3]);
    },
  );

  it('P1: requests that find no place are refused, and sent again where that was asked for', async () => {
    const busy = await serveHandlers('GevServer', { codec, loops, maxInFlight: 1 });
    const caller = client(busy.port);
    const first = new Subscriber(caller.send('later', { ms: 2500, value: 'done' }));
    await until(() => caller.stats().inFlight === 1);
    await expect(firstValueFrom(caller.send('sum', [1]))).rejects.toBeInstanceOf(GevOverloadedError);
    const retried = caller.send(
      'sum',
      new GevRecordBuilder([1, 2]).setRetry({ attempts: 50, delay: 50 }).build(),
    );
    expect(await firstValueFrom(retried)).toBe(3);
    await until(() => first.last === 'end');
  });

  it('P1: requests wait for a server that is not there yet', async () => {
    const echo = await service({ loops });
    const { port } = echo;
    const waiting = client(port, { offlineQueue: 10, reconnect: { initialDelay: 10, maxDelay: 20 } });
    expect(await firstValueFrom(waiting.send('echo', 1))).toBe(1);
    await echo.close();
    await until(() => waiting.stats().endpoints[0]!.connections === 0);
    const later = firstValueFrom(waiting.send('echo', Buffer.from('late')));
    await service({ loops, port });
    expect(await later).toEqual(Buffer.from('late'));
  });

  it('P1: requests that wait for their turn are answered in theirs, and cancelled before it', async () => {
    const echo = await serveHandlers('GevServer', { codec, loops, concurrency: 1 });
    const caller = client(echo.port);
    const first = new Subscriber(caller.send('silence', 0));
    await until(() => echo.streams() === 1);
    const gone = new Subscriber(caller.send('silence', 0));
    const sum = firstValueFrom(caller.send('sum', [1, 2]));
    await until(() => caller.stats().inFlight === 3);
    gone.leave();
    first.leave();
    expect(await sum).toBe(3);
    expect(echo.streams()).toBe(0);
  });

  it('C6: a client ends a connection that brings what is no MessagePack', async () => {
    const port = await listener(
      (socket) => void socket.on('data', () => socket.write(framed(Buffer.from([0xc1])))),
    );
    const caller = client(port);
    const errors: unknown[] = [];
    caller.on('error', (error) => errors.push(error));
    await expect(firstValueFrom(caller.send('echo', 1))).rejects.toMatchObject({
      code: 'ERR_GEV_CODEC_MISMATCH',
      message: expect.stringContaining('makes no sense'),
    });
    expect(errors).toEqual([expect.any(GevInvalidReplyError), expect.any(GevCodecMismatchError)]);
  });

  it('P1: any notation and framing can carry the same packets: a line of JSON for each', async () => {
    const ndjson = nestPackets<string>(line(), {
      name: 'ndjson',
      decode: (text) => JSON.parse(text) as unknown,
      encode: (packet) => JSON.stringify(packet),
    });
    const handlers = await serveHandlers('GevServer', { codec: ndjson, loops });
    const caller = clientOf({ port: handlers.port, codec: ndjson });
    expect(await firstValueFrom(caller.send('sum', [1, 2]))).toBe(3);
    expect(await lastValueFrom(caller.send('count', 3).pipe(toArray()))).toEqual([1, 2, 3]);
  });
});

describe('nestPackets()', () => {
  it('P1: contains what its functions throw, and what they return that cannot be sent', async () => {
    let made: (packet: unknown) => any = (packet) => JSON.stringify(packet);
    const odd = nestPackets<string>(line(), {
      name: 'odd',
      decode(text) {
        if (text === 'bad') throw new Error('a bad line');
        return JSON.parse(text) as unknown;
      },
      encode: (packet) => made(packet) as string,
    });
    const echo = await service({ codec: odd });
    const caller = client(echo.port, { codec: odd });
    expect(await firstValueFrom(caller.send('echo', 1))).toBe(1);
    made = () => ({ no: 'bytes' });
    await expect(firstValueFrom(caller.send('echo', 1))).rejects.toThrow(
      'encode() of the codec odd must return',
    );
    made = (packet) => {
      if ((packet as { response?: unknown }).response === 2) throw new Error('no word for two');
      return JSON.stringify(packet);
    };
    await expect(firstValueFrom(caller.send('echo', 2))).rejects.toMatchObject({
      message: 'The reply could not be serialized',
    });
    expect(await firstValueFrom(caller.send('echo', 3))).toBe(3);
    const peer = (await Peer.connect(echo.port)).read();
    peer.write('{"pattern":"echo","data":4,"id":"1"}\nbad\n');
    await until(() => peer.ended);
    expect(peer.length).toBeGreaterThan(0);
    expect(echo.lines.join('\n')).toMatch(/it sent no odd: a bad line/);
  });
});

describe('msgpack()', () => {
  it('P1: serves beside other codecs, with a listener of its own', async () => {
    const host = '127.0.0.1';
    const both = await serve(
      {
        codec: undefined,
        listeners: [
          { host, port: 0, codec },
          { host, port: 0, codec: nestJson() },
        ],
      },
      { controllers: [Echo] },
    );
    const [packedAt, jsonAt] = both.server.addresses() as AddressInfo[];
    expect(await firstValueFrom(client(packedAt!.port).send('echo', Buffer.from('b')))).toEqual(
      Buffer.from('b'),
    );
    expect(await firstValueFrom(clientOf({ port: jsonAt!.port }).send('echo', 'text'))).toBe('text');
  });

  it('refuses options that it does not know, and values that they cannot have', () => {
    expect(() => msgpack({ maxDepths: 1 } as object)).toThrow('maxDepth');
    expect(() => msgpack({ maxDepth: 0 })).toThrow('msgpack.maxDepth');
    expect(() => msgpack({ maxElements: 1.5 })).toThrow('msgpack.maxElements');
    for (const other of [raw(), lengthField(), line()]) {
      expect(() => clientOf({ codec: other })).toThrow(/codec.*carries Nest's packets/);
    }
  });

  it('R3: takes as much as its options allow', async () => {
    const strict = await service({ codec: msgpack({ maxDepth: 3, maxElements: 12 }) });
    const peer = await MsgpackPeer.connect(strict.port);
    peer.send({ pattern: 'echo', data: [[1]], id: '1' });
    expect((await peer.next()).response).toEqual([[1]]);
    peer.send({ pattern: 'echo', data: [[[1]]], id: '2' });
    await until(() => peer.peer.ended);
    const second = await MsgpackPeer.connect(strict.port);
    second.send({ pattern: 'echo', data: [1, 2, 3, 4, 5], id: '1' });
    expect((await second.next()).response).toEqual([1, 2, 3, 4, 5]);
    second.send({ pattern: 'echo', data: [1, 2, 3, 4, 5, 6], id: '2' });
    await until(() => second.peer.ended);
  });
});

function hasNegativeZero(value: unknown): boolean {
  if (Object.is(value, -0)) return true;
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return false;
  return Object.entries(value).some(([key, member]) => key === '__proto__' || hasNegativeZero(member));
}

describe.each([0, 1])('sides that differ, loops: %d', (loops) => {
  const both = /msgpack.*nest-json|nest-json.*msgpack/;
  const naming = { message: expect.stringMatching(both) };

  it('P1: a msgpack client and a JSON server: both say so, at the first frame', async () => {
    const json = await service({ loops, codec: nestJson() });
    const caller = client(json.port);
    const failed = firstValueFrom(caller.send('echo', 1));
    await expect(failed).rejects.toBeInstanceOf(GevCodecMismatchError);
    await expect(failed).rejects.toMatchObject({ code: 'ERR_GEV_CODEC_MISMATCH', ...naming });
    await expect(caller.connect()).rejects.toBeInstanceOf(GevCodecMismatchError);
    const connection = await json.connection(0);
    await until(() => connection.state === 'closed');
    expect([connection.closeReason, connection.closeError]).toEqual([
      'protocol',
      expect.objectContaining({ code: 'ERR_GEV_PROTOCOL', ...naming }),
    ]);
    expect(json.lines.join('\n')).toMatch(both);
    // Nobody else has noticed.
    expect(await firstValueFrom(clientOf({ port: json.port }).send('echo', 'fine'))).toBe('fine');
  });

  it('P1: a JSON client and a msgpack server: both say so, at the first frame', async () => {
    const packedServer = await service({ loops });
    const failed = firstValueFrom(clientOf({ port: packedServer.port }).send('echo', 1));
    await expect(failed).rejects.toBeInstanceOf(GevCodecMismatchError);
    await expect(failed).rejects.toMatchObject(naming);
    const connection = await packedServer.connection(0);
    await until(() => connection.state === 'closed');
    expect(connection.closeError).toMatchObject({ code: 'ERR_GEV_PROTOCOL', ...naming });
    expect(packedServer.lines.join('\n')).toMatch(both);
  });

  it('P1: ClientTCP and a msgpack server: the server says so, and the request ends', async () => {
    const packedServer = await service({ loops });
    await expect(
      firstValueFrom(nestClient(packedServer.port).send('echo', 'x'.repeat(2000))),
    ).rejects.toBeDefined();
    await until(() => both.test(packedServer.lines.join('\n')));
  });

  it('P1: a msgpack client and ServerTCP: the client says so, and does not wait', async () => {
    const nest = await serveHandlers('ServerTCP');
    const caller = client(nest.port, { loops, requestTimeout: 0, connectTimeout: 0 });
    const failed = firstValueFrom(caller.send('sum', [1]));
    await expect(failed).rejects.toBeInstanceOf(GevCodecMismatchError);
    await expect(failed).rejects.toMatchObject(naming);
  });

  it('P1: a client goes on trying, and finds the server that has learnt the codec', async () => {
    const json = await service({ loops, codec: nestJson() });
    const { port } = json;
    const caller = client(port, { offlineQueue: 5, reconnect: { initialDelay: 5, maxDelay: 20 } });
    const told: unknown[] = [];
    caller.on('error', (error) => told.push(error));
    const waiting = firstValueFrom(caller.send('echo', 1));
    await until(() => told.length > 1);
    expect(told[0]).toBeInstanceOf(GevCodecMismatchError);
    await json.close();
    await service({ loops, port });
    expect(await waiting).toBe(1);
  });
});
