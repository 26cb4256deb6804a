import { describe, expect, it } from '@jest/globals';
import { ClientTCP } from '@nestjs/microservices';
import { JsonSocket } from '@nestjs/microservices/helpers/json-socket.js';
import fc from 'fast-check';
import { type GevConnection, GevProtocolError, type GevServerOptions } from 'nestjs-gev';
import { EventEmitter } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { frame, FramePeer, serveEcho } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { eventually, pause, until } from '../kit/until.js';

const MiB = 1024 * 1024;

/** The connection, once the server knows that it has closed: its client may see that first. */
async function closed(accepted: Promise<GevConnection>): Promise<GevConnection> {
  const connection = await accepted;
  await until(() => connection.state === 'closed', 'the connection is closed');
  return connection;
}

/** What Nest's own socket class makes of a stream: its messages, and whether it gave up on it. */
function readByNest(chunks: readonly Buffer[]): { messages: unknown[]; failed: boolean } {
  const result = { messages: [] as unknown[], failed: false };
  const socket = Object.assign(new EventEmitter(), {
    end: () => (result.failed = true),
    destroy: () => (result.failed = true),
  });
  socket.on('error', () => undefined);
  socket.on('message', (message) => result.messages.push(message));
  new JsonSocket(socket);
  for (const chunk of chunks) if (!result.failed) socket.emit('data', chunk);
  socket.emit('close');
  return result;
}

/** The stream in pieces, of the sizes given in turn. */
function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < stream.length; index++) {
    const size = sizes[index % sizes.length]!;
    pieces.push(stream.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** Content of a JSON string: characters of all lengths, and whatever is no UTF-8. */
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...['plain', 'é', '漢', '😀', '\ufeff', '\uffff', '\u{10ffff}'].map((c) => Buffer.from(c)),
      ),
      // Lone surrogates, a pair of them, overlong forms, beyond Unicode, and characters cut short.
      fc.constantFrom(
        ...['eda0bd', 'edb880', 'eda0bdedb880', 'c0af', 'e080af', 'f08080af', 'f4919293', 'f8888080'].map(
          bytes,
        ),
        ...['c3', 'e6', 'e6bc', 'f0', 'f09f', 'f09f98', '80', 'bf', 'ff', 'fe', 'ed', 'eda0'].map(bytes),
      ),
      fc
        .uint8Array({ maxLength: 6 })
        .map((noise) =>
          Buffer.from(noise.map((byte) => (byte < 0x20 || byte === 0x22 || byte === 0x5c ? 0x61 : byte))),
        ),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

const sizes = fc.oneof(
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  fc.constant([1]),
  fc.constant([100_000]),
);

const note = (content: Buffer): Buffer =>
  Buffer.concat([Buffer.from('{"pattern":"note","data":"'), content, Buffer.from('"}')]);

/** What no frame begins with, and what no frame may hold. */
const malformed: [name: string, stream: string | Buffer, options?: GevServerOptions][] = [
  ['a length of 10^11', '100000000000#{}'],
  ['a length of 2^63', '9223372036854775808#{}'],
  ['a length of thirty digits', `${'1234567890'.repeat(3)}#{}`],
  ['a negative length', '-5#{}'],
  ['NaN', 'NaN#{}'],
  ['a plus sign', '+1#1'],
  ['seventeen blanks', `${' '.repeat(17)}2#{}`],
  ['an exponent', '1e9#{}'],
  ['no length', '#{}'],
  ['no delimiter', 'x'.repeat(5_000)],
  ['another protocol', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['the beginning of TLS', bytes('16030100c8010000c40303')],
  ['zeros', Buffer.alloc(1_000)],
  ['a length over the limit', `67108865#${'x'.repeat(100)}`],
  ['a length of 90 MB', '94371840#{"pattern":'],
  ['a content over the limit in bytes only', frame({ data: 'é'.repeat(600) }), { maxFrameLength: 1000 }],
  ['a length that ends within a surrogate pair', '1#😀'],
  ['invalid JSON', '3#{a}'],
  ['JSON that is cut short', '11#{"pattern":'],
  ['two values in a frame', '4#{}{}'],
  ['a BOM before the JSON', frame('\ufeff{"pattern":"note","data":1}')],
];

const GO_AWAY = frame({ pattern: 'gev:goaway', data: {} }).toString();

describe.each([0, 2])('the wire format of Nest on %i loops', (loops) => {
  it('R1 R5: whatever the bytes and however they are cut, messages are those of the socket class of Nest', async () => {
    const { port, notes } = await serveEcho({ loops });
    const client = await FramePeer.connect(port);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 6 }), sizes, async (texts, pieceSizes) => {
        notes.length = 0;
        const pieces = cut(Buffer.concat(texts.map((content) => frame(note(content)))), pieceSizes);
        for (const piece of pieces) {
          client.peer.write(piece);
          if (pieces.length > 1) await turn();
        }
        const { messages, failed } = readByNest(pieces);
        expect(failed).toBe(false);
        await until(() => notes.length >= messages.length || client.closed);
        expect(notes).toEqual((messages as { data: string }[]).map(({ data }) => data));
      }),
      { numRuns: 150 },
    );
    expect(client.closed).toBe(false);
  });

  it('R1: frames of many sizes are the same in any pieces, also when they are longer than a read', async () => {
    const { port, notes } = await serveEcho({ loops });
    const texts = [0, 1, 10, 4096, 65_535, 65_536, 131_072, 262_144, 300_000, MiB].map((length, index) =>
      ['x', 'é', '漢', '😀'][index % 4]!.repeat(length).slice(0, length),
    );
    const stream = Buffer.concat(texts.map((data) => frame({ pattern: 'note', data })));
    for (const size of [1_000, 70_000, stream.length]) {
      notes.length = 0;
      const peer = await Peer.connect(port);
      for (const piece of cut(stream, [size])) {
        peer.write(piece);
        if (size < 70_000) await turn();
      }
      await until(() => notes.length === texts.length || peer.closed);
      expect(notes.map((data) => (data as string).length)).toEqual(texts.map(({ length }) => length));
      expect(notes).toEqual(texts);
    }
  });

  it('R2: an empty frame is delivered; no JSON, it ends the connection as it does with Nest', async () => {
    const { server, port, connection } = await serveEcho({ loops });
    const messages: string[] = [];
    server.connections$.subscribe(({ messages$ }) =>
      messages$.subscribe((message) => messages.push(message.toString())),
    );
    const client = await FramePeer.connect(port);
    const stream = Buffer.from(`${frame({ pattern: 'echo', data: 1, id: '1' }).toString()}0#2#{}`);
    client.peer.write(stream);
    await until(() => client.closed);
    // What lies behind it may have been delivered before anybody looked at it.
    expect(messages.slice(0, 2)).toEqual(['{"pattern":"echo","data":1,"id":"1"}', '']);
    expect((await closed(connection())).closeReason).toBe('protocol');
    expect(readByNest([stream])).toMatchObject({ failed: true, messages: [{ id: '1' }] });
  });

  it.each(malformed)(
    'R3: %s ends that connection only, reason protocol',
    async (...[name, stream, options]: (typeof malformed)[number]) => {
      const service = await serveEcho({ loops, ...options });
      const bystander = await FramePeer.connect(service.port);
      bystander.write({ pattern: 'echo', data: 'before', id: '1' });
      expect(await bystander.packets(1)).toMatchObject([{ response: 'before' }]);

      const bad = await Peer.connect(service.port);
      const connection = await service.connection(1);
      bad.read().write(stream);
      await until(() => bad.closed && connection.state === 'closed', `${name} is refused`);
      expect(connection.closeReason).toBe('protocol');
      expect(service.lines).toEqual([
        expect.stringMatching(
          /^connection \d+ \(127\.0\.0\.1:\d+\) is closed: (it sent|What came|A frame of|The peer speaks TLS)/,
        ),
      ]);
      // What may be the length of a MessagePack frame is told what this server speaks, and nothing else.
      expect(await bad.text(bad.length)).toBe(name === 'zeros' ? GO_AWAY : '');
      expect(service.notes).toEqual([]);

      bystander.write({ pattern: 'echo', data: 'after', id: '2' });
      expect(await bystander.packets(1)).toEqual([{ response: 'after', isDisposed: true, id: '2' }]);
      expect(service.server.connections.size).toBe(1);
    },
  );

  it('R3: a frame of exactly maxFrameLength is taken, one byte more is not', async () => {
    for (const [filler, over] of [
      ['x', 'xx'],
      ['é', 'éx'],
      ['漢', '漢x'],
    ] as const) {
      const { port, notes, connection } = await serveEcho({ loops, maxFrameLength: 1000 });
      const packet = (data: string): string => `{"pattern":"note","data":"${data}"}`;
      const rest = 1000 - Buffer.byteLength(packet(''));
      const fill = 'x'.repeat(rest - Buffer.byteLength(filler));
      const client = await FramePeer.connect(port);
      client.write(packet(fill + filler));
      await until(() => notes.length === 1 || client.closed);
      expect(notes).toEqual([fill + filler]);
      client.write(packet(fill + over));
      await until(() => client.closed);
      expect(notes).toHaveLength(1);
      const { closeError } = await closed(connection());
      expect(closeError).toBeInstanceOf(GevProtocolError);
      expect(closeError).toMatchObject({ code: 'ERR_GEV_PROTOCOL', errno: constants.errno.EMSGSIZE });
      expect(closeError!.message).toContain('maxFrameLength');
    }
  });

  it('R4: a frame that stays incomplete ends the connection, reason protocol', async () => {
    const timeout = 150;
    for (const beginning of ['1', '35#', '35#{"pattern":', bytes('3223f09f98'), '1000000#']) {
      const { port, connection } = await serveEcho({ loops, incompleteFrameTimeout: timeout });
      const idle = await FramePeer.connect(port);
      await connection(0);
      const client = await FramePeer.connect(port);
      client.write({ pattern: 'echo', data: 1, id: '1' });
      await client.packets(1);
      const started = performance.now();
      client.peer.write(beginning);
      await until(() => client.closed, `"${beginning.toString()}" has its end`);
      expect(performance.now() - started).toBeGreaterThanOrEqual(timeout - 1);
      const { closeReason, closeError } = await closed(connection(1));
      expect(closeReason).toBe('protocol');
      expect(closeError).toMatchObject({ code: 'ERR_GEV_PROTOCOL', errno: constants.errno.ETIMEDOUT });
      idle.write({ pattern: 'echo', data: 2, id: '2' });
      expect(await idle.packets(1)).toMatchObject([{ response: 2 }]);
    }
  });

  it('R4: a long frame that comes slowly is kept, however long it takes in all', async () => {
    await eventually(3, async () => {
      const { port, connection } = await serveEcho({ loops, incompleteFrameTimeout: 400 });
      const client = await FramePeer.connect(port);
      const stream = frame({ pattern: 'echo', data: '😀'.repeat(10_000), id: '1' });
      const pieces = cut(stream, [Math.ceil(stream.length / 12)]);
      for (const piece of pieces) {
        client.peer.write(piece);
        await pause(80);
      }
      expect(await client.packets(1)).toMatchObject([{ response: '😀'.repeat(10_000) }]);
      expect((await connection()).state).toBe('open');
    });
  });

  describe('R5: with the client of Nest', () => {
    const strings = [
      'é漢😀',
      '\ud83d',
      '\ude00',
      'a\ude00\ud83db',
      '\ufeff',
      '\u2028\u0000\u007f',
      'é漢😀\ud83d'.repeat(5_000),
    ];

    it('any string survives the round trip', async () => {
      const { port, notes } = await serveEcho({ loops });
      const client = nestClient(port);
      for (const data of strings) {
        expect(await firstValueFrom(client.send('echo', data))).toBe(data);
        expect(await firstValueFrom(client.send({ cmd: 'echo' }, { [data]: data }))).toEqual({
          [data]: data,
        });
      }
      for (const data of strings) await firstValueFrom(client.emit('note', data));
      await until(() => notes.length === strings.length);
      expect(notes).toEqual(strings);
    });

    it('any string survives the round trip split at any byte', async () => {
      const { port } = await serveEcho({ loops });
      const client = nestClient(await splitter(port));
      const short = strings.filter(({ length }) => length < 100);
      for (let round = 0; round < 5; round++) {
        const replies = short.map((data) => firstValueFrom(client.send<string>('echo', data)));
        expect(await Promise.all(replies)).toEqual(short);
      }
    });

    it('what the server sends by itself is read by the socket class of Nest', async () => {
      const { server, port } = await serveEcho({ loops });
      const peer = (await Peer.connect(port)).read();
      await until(() => server.connections.size === 1);
      const sent = ['é漢😀', 'x'.repeat(200_000), '漢'.repeat(100_000), ''].map((data) => ({ data }));
      for (const packet of sent) for (const connection of server) connection.send(JSON.stringify(packet));
      server.broadcast(JSON.stringify({ data: 'to all 😀' }));
      server.broadcast(Buffer.from(JSON.stringify({ data: '漢'.repeat(50_000) })));
      const expected = [...sent, { data: 'to all 😀' }, { data: '漢'.repeat(50_000) }];
      const stream = await peer.take(Buffer.concat(expected.map(frame)).length);
      expect(readByNest(cut(stream, [7_001])).messages).toEqual(expected);
    });
  });
});

/** Where the socket class of Nest guesses what was meant, and goes on. No client of Nest sends any of it. */
describe('stricter than Nest', () => {
  it.each([
    ['junk behind the length', '2junk#{}'],
    ['seventeen blanks before the length', `${' '.repeat(17)}2#{}`],
    ['a plus sign', '+2#{}'],
    ['a fraction', '2.9#{}'],
    ['a byte order mark', '\ufeff2#{}'],
    ['more than ten digits', '00000000002#{}'],
  ])('R3: %s ends the connection', async (_, stream) => {
    expect(readByNest([Buffer.from(stream)])).toEqual({ messages: [{}], failed: false });
    const { port, connection } = await serveEcho();
    const client = await FramePeer.connect(port);
    client.peer.write(stream);
    await until(() => client.closed);
    expect((await closed(connection())).closeReason).toBe('protocol');
  });
});

function nestClient(port: number): ClientTCP {
  const client = new ClientTCP({ host: '127.0.0.1', port });
  onCleanup(() => client.close());
  return client;
}

/** Forwards a port, in both directions, one to three bytes at a time. */
async function splitter(target: number): Promise<number> {
  const roll = random(5);
  const forward = async (from: Socket, to: Socket): Promise<void> => {
    to.setNoDelay(true);
    for await (const chunk of from) {
      for (const piece of cut(
        chunk as Buffer,
        Array.from({ length: 16 }, () => 1 + roll(3)),
      )) {
        to.write(piece);
        await turn();
      }
    }
  };
  const proxy = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      forward(from, to).catch(() => undefined); // one side is gone: so is the other
      from.on('close', () => to.destroy());
    }
    onCleanup(() => client.destroy());
  });
  onCleanup(() => proxy.close());
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return (proxy.address() as AddressInfo).port;
}
