import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, jest } from '@jest/globals';
import { Controller, type CanActivate, UseGuards } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  custom,
  type GevCodec,
  type GevConnection,
  type GevFramer,
  GevHandlerError,
  type GevNetworkAddress,
  GevServer,
  lengthField,
  line,
  packets,
  raw,
} from 'nestjs-gev';
import { listenBare } from '../kit/bare-reactor.js';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** Each byte is a frame. */
const bytes = (framer: Partial<GevFramer<number>> = {}): GevCodec =>
  custom<number>({
    open: () => ({
      *decode(chunk) {
        yield* chunk;
      },
      encode: (frame) => Buffer.from([frame]),
      ...framer,
    }),
  });

type Numbers = GevConnection<Record<string, unknown>, number>;

const soon = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(resolve, value));

describe.each([0, 2])('edges of codecs on %i loops', (loops) => {
  it('R3: frames that wait for their handler are answered before what the framing throws ends the connection', async () => {
    const codec = bytes({
      *decode(chunk) {
        for (const byte of chunk) {
          if (byte === 0) throw new Error('a zero');
          yield byte;
        }
      },
    });
    const service = await serve({ loops, codec }, { message: (frame) => soon(frame) });
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 2, 3, 0, 4]));
    await until(() => peer.ended);
    expect([...(await peer.take(peer.length))]).toEqual([1, 2, 3]);
    const connection = await service.connection();
    await until(() => connection.state === 'closed');
    expect([connection.closeReason, connection.closeError?.message]).toEqual([
      'protocol',
      expect.stringContaining('a zero'),
    ]);
  });

  it('R3: messages that wait for their handler are answered before an unreadable packet ends the connection', async () => {
    const codec = packets<string>(line(), {
      read(text) {
        if (text === 'bad') throw new Error('a bad word');
        return undefined;
      },
      write: () => undefined,
    });
    const service = await serve({ loops, codec }, { message: (frame) => soon(frame) });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('1\n2\n3\nbad\n4\n');
    await until(() => peer.ended);
    expect((await peer.take(peer.length)).toString()).toBe('1\n2\n3\n');
  });

  it('P1: an `incomplete` that throws ends its connection, reason protocol', async () => {
    const service = await serve(
      {
        loops,
        codec: custom<number>({
          open: () => ({
            *decode(chunk) {
              yield* chunk;
            },
            encode: (frame) => Buffer.from([frame]),
            get incomplete(): boolean {
              throw new Error('do not know');
            },
          }),
        }),
      },
      { message: (frame) => frame },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1]));
    await until(() => peer.ended);
    const connection = await service.connection();
    await until(() => connection.state === 'closed');
    expect([connection.closeReason, connection.closeError?.message]).toEqual([
      'protocol',
      expect.stringContaining('do not know'),
    ]);
    expect([...(await peer.take(peer.length))]).toEqual([1]);
  });

  it('U1: a decode() that throws as it is abandoned is logged, and the connection closes as its handler said', async () => {
    const codec = bytes({
      *decode(chunk) {
        try {
          yield* chunk;
        } finally {
          // eslint-disable-next-line no-unsafe-finally
          throw new Error('not done');
        }
      },
    });
    const closes: string[] = [];
    const seen: unknown[] = [];
    const service = await serve({ loops, codec }, { close: (reason) => closes.push(reason) });
    service.server.on('connection', (connection) =>
      connection.messages$.subscribe((frame) => (seen.push(frame), connection.close())),
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 2]));
    await until(() => closes.length === 1);
    expect([seen, closes]).toEqual([[1], ['local']]);
    expect(service.lines.join('\n')).toContain('not done');
  });

  it('U1 X1: a reactor callback that enters a context and throws costs the frames behind it nothing', async () => {
    const store = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    const onMessage = (_: unknown, frame: Buffer): never => {
      seen.push([frame, store.getStore()]);
      store.enterWith(1);
      throw new Error('a callback fails');
    };
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onCleanup(() => warn.mockRestore());
    const { port } = await listenBare(loops, onMessage, bytes());
    const peer = await Peer.connect(port);
    peer.write(Buffer.from([1, 2, 3]));
    await until(() => seen.length === 3);
    expect(seen).toEqual([
      [1, undefined],
      [2, undefined],
      [3, undefined],
    ]);
  });

  it('X1: what a guard enters for one frame of a chunk is not seen by the next', async () => {
    const store = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    const service = await serve(
      { loops, codec: bytes() },
      {
        message(frame) {
          seen.push(store.getStore());
          store.enterWith(frame as unknown as number);
          return frame;
        },
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 2, 3]));
    await peer.take(3);
    peer.write(Buffer.from([4]));
    await peer.take(1);
    expect(seen).toEqual([undefined, undefined, undefined, undefined]);
  });

  it.each<[string, GevCodec]>([
    ['line()', line()],
    [
      'custom()',
      custom<string>({
        open: () => ({
          *decode(chunk) {
            yield* chunk.toString().split('\n').slice(0, -1);
          },
          encode: (frame) => `${frame}\n`,
        }),
      }),
    ],
  ])('X1: what a guard enters for one packet is not seen by the next: packets(%s)', async (_, framing) => {
    const store = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    class Enters implements CanActivate {
      canActivate(): boolean {
        seen.push(store.getStore());
        store.enterWith('someone');
        return true;
      }
    }
    @Controller()
    class Commands {
      @UseGuards(Enters)
      @MessagePattern('a')
      a(@Payload() data: string): string {
        return data;
      }
    }
    const codec = packets<string>(framing, {
      read: (text) => ({ pattern: 'a', data: text }),
      write: ({ data }) => data as string | undefined,
      concurrency: 1,
    });
    const service = await serve({ loops, codec }, { controllers: [Commands] });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('1\n2\n3\n');
    expect(await peer.text(6)).toBe('1\n2\n3\n');
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  it('P1: a broadcast of what only a custom framing takes reaches its connections, others refuse it', async () => {
    const service = await serve({
      loops,
      listeners: [
        { name: 'lines', port: 0, codec: line() },
        { name: 'bytes', port: 0, codec: bytes() },
      ],
    });
    const [lines, others] = service.server.addresses() as GevNetworkAddress[];
    const first = (await Peer.connect(lines!.port)).read();
    await service.connection(0);
    const second = (await Peer.connect(others!.port)).read();
    await service.connection(1);
    const send = (all: boolean): number =>
      service.server.broadcast(7, ({ listener }: Numbers) => all || listener!.name === 'bytes');
    expect(() => send(true)).toThrow(GevHandlerError);
    expect(send(false)).toBe(1);
    expect([...(await second.take(1))]).toEqual([7]);
    expect(first.length).toBe(0);
  });

  it('P1: a broadcast counts the connections whose framing made bytes of it', async () => {
    const codec = bytes({
      encode() {
        throw new Error('cannot');
      },
    });
    const service = await serve({ loops, codec });
    await Peer.connect(service.port);
    await service.connection();
    expect(service.server.broadcast('x')).toBe(0);
    expect(service.lines.join('\n')).toContain('cannot');
  });

  it('P1: what has no framing is sent nothing, and says so', async () => {
    const codec = custom({
      open(): never {
        throw new Error('no key');
      },
    });
    const outcomes: unknown[] = [];
    const service = await serve({ loops, codec });
    service.server.on('connection', (connection) => {
      try {
        connection.send('secret');
        outcomes.push('sent');
      } catch (error) {
        outcomes.push((error as Error).name);
      }
    });
    const peer = (await Peer.connect(service.port)).read();
    await until(() => peer.closed);
    expect(peer.length).toBe(0);
    expect(outcomes).toEqual(['GevConnectionClosedError']);
  });

  it('P1: encode() is not asked for frames that cannot be sent any more', async () => {
    let encoded = 0;
    const codec = bytes({ encode: (frame) => (encoded++, Buffer.from([frame])) });
    const service = await serve({ loops, codec });
    await Peer.connect(service.port);
    const connection = await service.connection();
    connection.close();
    expect(connection.trySend('x')).toBe(false);
    expect(encoded).toBe(0);
  });

  it('P1: encode() of a length field gets what is sent, and no copy of it', async () => {
    const given: Buffer[] = [];
    const codec = lengthField({
      length: 1,
      offset: 1,
      encode: (content) => (given.push(content), Buffer.from([7, content.length, ...content])),
    });
    const service = await serve({ loops, codec });
    const peer = (await Peer.connect(service.port)).read();
    const connection = await service.connection();
    const [buffer, array] = [Buffer.from([1, 2]), new Uint8Array([0, 3, 4]).subarray(1)];
    for (const data of [buffer, array, 'ab']) connection.send(data);
    expect([...(await peer.take(12))]).toEqual([7, 2, 1, 2, 7, 2, 3, 4, 7, 2, 97, 98]);
    expect(given.map((content) => Buffer.isBuffer(content))).toEqual([true, true, true]);
    expect(given[0]!.buffer === buffer.buffer && given[1]!.buffer === array.buffer).toBe(true);
  });

  it('R4: a custom frame is not late while reading pauses', async () => {
    const codec = custom<Buffer>({
      open() {
        let held = 0;
        return {
          decode(chunk) {
            held += chunk.length;
            return held < 2 ? [] : [Buffer.alloc((held = 0) + 2)];
          },
          encode: (frame) => frame,
          get incomplete() {
            return held > 0;
          },
        };
      },
    });
    const service = await serve({ loops, codec, incompleteFrameTimeout: 50 }, { message: (f) => f });
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1]));
    const connection = await service.connection();
    await until(() => connection.bytesReceived === 1);
    const reading = connection as unknown as { pause(): void; resume(): void };
    reading.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    peer.write(Buffer.from([1]));
    reading.resume();
    expect(await peer.take(2)).toHaveLength(2);
  });

  it('P1: bad UTF-8 in a line becomes replacement characters', async () => {
    const seen: unknown[] = [];
    const service = await serve({ loops, codec: line() }, { message: (f) => (seen.push(f), f) });
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([0x61, 0xff, 0xe2, 0x82, 0x0a, 0xed, 0xa0, 0x80, 0x0a, 0x00, 0x0a]));
    await until(() => seen.length === 3);
    const expected = [
      Buffer.from([0x61, 0xff, 0xe2, 0x82]).toString(),
      Buffer.from([0xed, 0xa0, 0x80]).toString(),
      '\0',
    ];
    expect(seen).toEqual(expected);
  });

  it('S8: requests of another protocol in flight are answered when the server stops', async () => {
    const codec = packets<string>(line(), {
      read: (text) => ({ pattern: 'a', data: text }),
      write: ({ data, error }) => (error === undefined ? `ok ${String(data)}` : `err`),
    });
    let started = 0;
    const finish: (() => void)[] = [];
    @Controller()
    class Commands {
      @MessagePattern('a')
      a(@Payload() data: string): Promise<string> {
        started++;
        return new Promise((resolve) => finish.push(() => resolve(data)));
      }
    }
    const service = await serve({ loops, codec, drainTimeout: 5000 }, { controllers: [Commands] });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('1\n2\n');
    await until(() => started === 1);
    const closed = service.close();
    finish[0]!();
    await until(() => started === 2);
    finish[1]!();
    expect(await peer.text(10)).toBe('ok 1\nok 2\n');
    await closed;
  });

  it('P1: a client that ends without the end of its last line has the lines before answered', async () => {
    const service = await serve({ loops, codec: line() }, { message: (f) => soon(f) });
    const peer = (await Peer.connect(service.port, { allowHalfOpen: true })).read();
    peer.socket.end('1\n2\nhal');
    await until(() => peer.ended);
    expect((await peer.take(peer.length)).toString()).toBe('1\n2\n');
  });

  it('S1: a second listener that cannot bind takes the first with it', async () => {
    const taken = await serve({ loops: 0, codec: raw() });
    const server = new GevServer({
      loops,
      listeners: [
        { host: '127.0.0.1', port: 0, codec: line() },
        { host: '127.0.0.1', port: taken.port, codec: line() },
      ],
      logger: { log: () => {}, warn: () => {}, error: () => {} },
    });
    for (let attempt = 0; attempt < 2; attempt++) {
      const error = await new Promise<NodeJS.ErrnoException>((resolve) =>
        server.listen((e?: unknown) => resolve(e as NodeJS.ErrnoException)),
      );
      expect(error).toMatchObject({ code: 'EADDRINUSE' });
      expect([server.address(), server.addresses()]).toEqual([null, []]);
    }
    await taken.close();
    expect(await new Promise((resolve) => server.listen((e?: unknown) => resolve(e)))).toBeFalsy();
    expect(server.addresses()).toHaveLength(2);
    await server.close();
  });

  it('P1: a codec is shared by servers, at ports and a path, and sends from @OnConnect', async () => {
    const codec = bytes();
    const path = join(await mkdtemp(join(tmpdir(), 'gev-')), 's');
    const listeners = [
      { port: 0, codec },
      { path, codec },
    ];
    const connect = (connection: GevConnection): void => void connection.send(9 as never);
    const handlers = { connect, message: (frame: unknown) => frame };
    const first = await serve({ loops, reusePort: true, listeners }, handlers);
    const second = await serve({ loops, codec }, handlers);
    expect(first.server.addresses()).toEqual([
      expect.objectContaining({ port: first.port }),
      expect.anything(),
    ]);
    for (const target of [first.port, { path }, second.port]) {
      const peer = (await Peer.connect(target)).read();
      peer.write(Buffer.from([1, 2]));
      expect([...(await peer.take(3))]).toEqual([9, 1, 2]);
    }
  });

  it('P1: no frame reaches a handler behind a gate that fails', async () => {
    const seen: unknown[] = [];
    const service = await serve(
      { loops, codec: bytes() },
      {
        async connect(connection) {
          await soon(0);
          connection.send(9 as never);
          throw new Error('not you');
        },
        message: (frame) => seen.push(frame),
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 2]));
    await until(() => peer.closed);
    expect(seen).toEqual([]);
  });

  it('P1: a frame may be null or undefined, and wait', async () => {
    const codec = custom<unknown>({
      open: () => ({
        *decode(chunk) {
          for (const byte of chunk) yield [1, null, undefined][byte];
        },
        encode: (frame) => String(frame),
      }),
    });
    const seen: unknown[] = [];
    const service = await serve({ loops, codec }, { message: (frame) => (seen.push(frame), soon('x')) });
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([0, 1, 2]));
    expect(await peer.text(3)).toBe('xxx');
    expect(seen).toEqual([1, null, undefined]);
  });
});
