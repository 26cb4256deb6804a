import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  ByteReader,
  custom,
  delimited,
  type GevCodec,
  type GevNetworkAddress,
  GevOptionsError,
  GevProtocolError,
  GevServer,
  lengthField,
  type LengthFieldOptions,
  line,
  OnMessage,
  packets,
} from 'nestjs-gev';
import { of } from 'rxjs';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const u32 = (value: number): Buffer => Buffer.concat([u16(0), u16(value)]);
const sum = (frame: Buffer): number => frame.reduce((total, byte) => (total + byte) & 0xff, 0);

/** A length, so many bytes, and their sum: a framing of the application's. */
const checked = (): GevCodec =>
  custom<Buffer>({
    open() {
      const reader = new ByteReader();
      return {
        *decode(chunk) {
          reader.push(chunk);
          while (reader.has(1)) {
            const length = reader.peekLength(1, { max: 200 });
            if (!reader.has(2 + length)) break;
            reader.skip(1);
            const frame = reader.bytes(length);
            if (reader.uint(1) !== sum(frame)) throw new Error('the check sum is wrong');
            yield frame;
          }
          reader.compact();
        },
        encode: (frame) => Buffer.concat([Buffer.from([frame.length]), frame, Buffer.from([sum(frame)])]),
        get incomplete() {
          return reader.remaining > 0;
        },
      };
    },
  });

const codecs: [string, () => GevCodec, (content: Buffer) => Buffer][] = [
  ['line()', () => line({ encoding: null }), (content) => Buffer.concat([content, Buffer.from('\n')])],
  ['line() as text', () => line(), (content) => Buffer.concat([content, Buffer.from('\n')])],
  [
    'delimited() of two bytes',
    () => delimited(Buffer.from([0xff, 0xfe])),
    (content) => Buffer.concat([content, Buffer.from([0xff, 0xfe])]),
  ],
  ['lengthField()', () => lengthField(), (content) => Buffer.concat([u32(content.length), content])],
  [
    'lengthField() that handlers see',
    () => lengthField({ length: 2, offset: 1, strip: 0 }),
    (content) => Buffer.concat([Buffer.from([7]), u16(content.length), content]),
  ],
  [
    'lengthField() as varint',
    () => lengthField({ length: 'varint' }),
    (content) => {
      const { length } = content;
      return Buffer.concat([
        Buffer.from(length < 128 ? [length] : [(length % 128) | 128, length >> 7]),
        content,
      ]);
    },
  ],
  [
    'custom()',
    checked,
    (content) => Buffer.concat([Buffer.from([content.length]), content, Buffer.from([sum(content)])]),
  ],
];

describe.each([0, 2])('codecs on %i loops', (loops) => {
  describe.each(codecs)('%s', (_, codec, frameOf) => {
    it('P1 R1 R2: brings the same frames however they are cut, empty ones too, and sends them back framed', async () => {
      const seen: unknown[] = [];
      const service = await serve(
        { loops, codec: codec() },
        { message: (frame) => (seen.push(frame), frame) },
      );
      const next = random(0x5eed + loops);
      const contents = Array.from({ length: 300 }, () =>
        Buffer.from(Array.from({ length: next(7) === 0 ? 0 : next(180) }, () => 0x61 + next(9))),
      );
      const stream = Buffer.concat(contents.map(frameOf));
      const peer = (await Peer.connect(service.port)).read();
      peer.socket.setNoDelay(true);
      for (let at = 0; at < stream.length;) {
        const size = 1 + (next(3) === 0 ? next(2) : next(900));
        peer.write(stream.subarray(at, at + size));
        await new Promise((resolve) => setImmediate(resolve));
        at += size;
      }
      expect((await peer.take(stream.length)).equals(stream)).toBe(true);
      expect(seen).toHaveLength(contents.length);
    });

    it('P1: broadcasts frames', async () => {
      const service = await serve({ loops, codec: codec() });
      const peer = (await Peer.connect(service.port)).read();
      await service.connection();
      const content = Buffer.from('\x07\x00\x02ab', 'latin1'); // a whole frame, where handlers see such
      const { framing } = codec();
      const whole = framing.kind === 'length-field' && framing.strip === 0;
      const expected = whole ? content : frameOf(content);
      await until(() => service.server.broadcast(content) === 1);
      expect(await peer.take(expected.length)).toEqual(expected);
    });
  });

  it('P1: lines are text, without their ends, and get one', async () => {
    const seen: unknown[] = [];
    const service = await serve(
      { loops, codec: line() },
      { message: (frame) => (seen.push(frame), `${String(frame)}!`) },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write('eins\r\nzwölf\n\n');
    expect(await peer.text(16)).toBe('eins!\nzwölf!\n!\n');
    expect(seen).toEqual(['eins', 'zwölf', '']);
  });

  it('P1: text is of the encoding that was asked for', async () => {
    const seen: unknown[] = [];
    const service = await serve(
      { loops, codec: lengthField({ length: 1, encoding: 'latin1' }) },
      { message: (frame) => (seen.push(frame), 'ü') },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 0xfc]));
    expect([...(await peer.take(2))]).toEqual([1, 0xfc]);
    expect(seen).toEqual(['ü']);
  });

  it.each<[string, GevCodec, Buffer, RegExp]>([
    ['a line that is too long', line({ maxLength: 4 }), Buffer.from('eins\nzwölf\n'), /4 bytes/],
    [
      'a length above the limit',
      lengthField({ maxLength: 4 }),
      Buffer.from([0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 5]),
      /4 bytes/,
    ],
    [
      'eight bytes of length',
      lengthField({ length: 8, maxLength: 4 }),
      Buffer.concat([Buffer.alloc(7), Buffer.from([1, 9]), Buffer.alloc(8, 0xff)]),
      /4 bytes/,
    ],
    [
      'a varint that does not end',
      lengthField({ length: 'varint' }),
      Buffer.concat([Buffer.from([1, 9]), Buffer.alloc(12, 0x80)]),
      /no frame/,
    ],
    [
      'a frame that ends within its header',
      lengthField({ length: 2, includesHeader: true }),
      Buffer.from([0, 3, 9, 0, 1]),
      /no frame/,
    ],
    [
      'what a framing of the application throws',
      checked(),
      Buffer.from([1, 9, 9, 1, 9, 8]),
      /the check sum is wrong/,
    ],
  ])(
    'R3: %s ends that connection, reason protocol, when the frames before it are answered',
    async (_, codec, bytes, message) => {
      const service = await serve({ loops, codec }, { message: () => Buffer.from('ok') });
      const other = (await Peer.connect(service.port)).read();
      await service.connection(0);
      const peer = (await Peer.connect(service.port)).read();
      peer.write(bytes);
      await until(() => peer.ended);
      expect(peer.length).toBeGreaterThan(2);
      const connection = await service.connection(1);
      await until(() => connection.state === 'closed');
      expect(connection.closeReason).toBe('protocol');
      expect(connection.closeError).toBeInstanceOf(GevProtocolError);
      expect(connection.closeError!.message).toMatch(message);
      expect(service.lines.join('\n')).toMatch(message);
      expect(other.closed).toBe(false);
    },
  );

  it.each<[string, GevCodec]>([
    ['line()', line()],
    ['lengthField()', lengthField()],
    ['custom()', checked()],
  ])('R4: %s: a frame that stays incomplete ends the connection, reason protocol', async (_, codec) => {
    const service = await serve({ loops, codec, incompleteFrameTimeout: 50 });
    const idle = await Peer.connect(service.port);
    await service.connection(0);
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([0]));
    await until(() => peer.closed);
    const connection = await service.connection(1);
    await until(() => connection.state === 'closed');
    expect([connection.closeReason, connection.closeError?.errno]).toEqual(['protocol', expect.any(Number)]);
    expect(idle.closed).toBe(false);
  });

  it('P1: a custom framing that cannot be made ends its connection', async () => {
    const codec = custom({
      open(): never {
        throw new Error('no key for this address');
      },
    });
    const service = await serve({ loops, codec });
    const peer = (await Peer.connect(service.port)).read();
    await until(() => peer.closed);
    await until(() => service.lines.some((text) => text.includes('no key for this address')));
  });

  it('P1: a custom framing goes on after a reply that it cannot encode', async () => {
    const codec = custom<number>({
      open: () => ({
        *decode(chunk) {
          yield* chunk;
        },
        encode(frame) {
          if (frame > 9) throw new RangeError('only digits');
          return Buffer.from([frame]);
        },
      }),
    });
    const service = await serve({ loops, codec }, { message: (frame) => frame });
    const peer = (await Peer.connect(service.port)).read();
    peer.write(Buffer.from([1, 10, 2]));
    expect([...(await peer.take(2))]).toEqual([1, 2]);
    await until(() => service.lines.some((text) => text.includes('only digits')));
  });

  it('P1: packets of another protocol reach the handlers of patterns, one after another', async () => {
    const events: unknown[] = [];
    const others: unknown[] = [];
    let answer: (() => void) | undefined;
    @Controller()
    class Commands {
      @MessagePattern('add')
      add(@Payload() words: string[]): number {
        return words.map(Number).reduce((a, b) => a + b, 0);
      }

      @MessagePattern('wait')
      wait(): Promise<string> {
        return new Promise((resolve) => (answer = () => resolve('waited')));
      }

      @MessagePattern('fail')
      fail(): never {
        throw new RpcException('not today');
      }

      @MessagePattern('stream')
      stream() {
        return of(1, 2);
      }

      @EventPattern('position')
      position(@Payload() words: string[]): void {
        events.push(words);
      }

      @OnMessage()
      other(@Payload() text: string): string {
        others.push(text);
        return 'PONG';
      }
    }
    const codec = packets<string>(line(), {
      read(text) {
        if (text === 'ping') return undefined;
        if (text === 'bad') throw new Error('a bad word');
        const [pattern = '', ...data] = text.split(' ');
        return { pattern, data };
      },
      write({ data, error, last }) {
        if (error !== undefined) return `ERR ${(error as Error).message}`;
        return data === undefined && last ? undefined : `OK ${String(data)}`;
      },
    });
    const service = await serve({ loops, codec }, { controllers: [Commands] });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('add 1 2\nwait\nadd 3 4\nposition 7 8\nping\n');
    await until(() => answer !== undefined);
    await settled(() => peer.length);
    answer!();
    const before = 'OK 3\nOK waited\nOK 7\n';
    const text = await peer.text(before.length + 'PONG\n'.length);
    expect(text.replace('PONG\n', '')).toBe(before);
    await until(() => events.length === 1);
    expect([events, others]).toEqual([[['7', '8']], ['ping']]);
    peer.write('fail\nstream\nnobody\nbad\n');
    const rest =
      'ERR not today\nOK 1\nOK 2\nERR There is no matching message handler defined in the remote service.\n';
    expect(await peer.text(rest.length)).toBe(rest);
    await until(() => peer.ended);
    await until(() => service.lines.some((text) => text.includes('a bad word')));
  });

  it('P1: a caller whose reply cannot be written is told, or loses its connection', async () => {
    @Controller()
    class Commands {
      @MessagePattern('add')
      add(): number {
        return 3;
      }
    }
    let failures = 0;
    const codec = packets<string>(line(), {
      read: (pattern) => ({ pattern }),
      write({ data, error }) {
        if (failures-- > 0) throw new Error('no word for it');
        return error === undefined ? `OK ${String(data)}` : `ERR ${(error as Error).message}`;
      },
    });
    const service = await serve({ loops, codec }, { controllers: [Commands] });
    const peer = (await Peer.connect(service.port)).read();
    failures = 1;
    peer.write('add\nadd\n');
    const expected = 'ERR The reply could not be written\nOK 3\n';
    expect(await peer.text(expected.length)).toBe(expected);
    expect(service.lines.join('\n')).toMatch('no word for it');
    const connection = await service.connection();
    failures = 2;
    peer.write('add\n');
    await until(() => peer.ended);
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('protocol');
    expect(connection.closeError?.message).toBe('A reply could not be written');
  });

  it('P1: several listeners, each with its codec, serve the same controllers', async () => {
    const seen: [string, unknown][] = [];
    const service = await serve(
      {
        loops,
        listeners: [
          { name: 'lines', port: 0, codec: line() },
          { name: 'bytes', port: 0, codec: lengthField({ length: 1 }) },
        ],
      },
      {
        message: (frame, { listener }) => (seen.push([listener!.name!, frame]), frame),
      },
    );
    const [lines, bytes] = service.server.addresses() as GevNetworkAddress[];
    expect(service.port).toBe(lines!.port);
    const first = (await Peer.connect(lines!.port)).read();
    const second = (await Peer.connect(bytes!.port)).read();
    first.write('a\n');
    second.write(Buffer.from([2, 1, 2]));
    expect(await first.text(2)).toBe('a\n');
    expect([...(await second.take(3))]).toEqual([2, 1, 2]);
    expect(new Map(seen)).toEqual(
      new Map<string, unknown>([
        ['lines', 'a'],
        ['bytes', Buffer.from([1, 2])],
      ]),
    );
    service.server.broadcast('x');
    expect(await first.text(2)).toBe('x\n');
    expect([...(await second.take(2))]).toEqual([1, 0x78]);
  });
});

describe('options of codecs', () => {
  it.each<[string, GevCodec]>([
    ['line.delimiter', line({ delimiter: '' })],
    ['line.delimiter', line({ delimiter: 'x'.repeat(17) })],
    ['line.maxLength', line({ maxLength: 0 })],
    ['line.encoding', line({ encoding: 'latin9' as BufferEncoding })],
    ['length-field.length', lengthField({ length: 5 as 4 })],
    ['length-field.strip', lengthField({ strip: -1 })],
    ['length-field.encode', lengthField({ offset: 2 })],
    ['length-field.encode', lengthField({ length: 'varint', strip: 0 })],
    ['line.separator', line({ separator: '\n' } as object)],
  ])('P1: %s is refused', (option, codec) => {
    const make = (): GevServer => new GevServer({ codec });
    expect(make).toThrow(GevOptionsError);
    expect(make).toThrow(expect.objectContaining({ option }));
  });

  it.each<[LengthFieldOptions, number[], number[]]>([
    [{ length: 2 }, [1, 2], [0, 2, 1, 2]],
    [{ length: 2, endian: 'little' }, [1, 2], [2, 0, 1, 2]],
    [{ length: 3, includesHeader: true }, [1, 2], [0, 0, 5, 1, 2]],
    [{ length: 1, adjustment: -1 }, [1, 2], [3, 1, 2]],
    [{ length: 8 }, [1], [0, 0, 0, 0, 0, 0, 0, 1, 1]],
    [{ length: 1, offset: 1, strip: 0 }, [9, 0, 1, 2], [9, 2, 1, 2]],
    [
      { length: 2, offset: 1, encode: (frame) => Buffer.concat([Buffer.from([7, 0, frame.length]), frame]) },
      [1],
      [7, 0, 1, 1],
    ],
  ])('P1: with %j a frame is sent as its framing has it', async (options, sent, expected) => {
    const service = await serve(
      { loops: 0, codec: lengthField(options) },
      { connect: () => Buffer.from(sent) },
    );
    const peer = (await Peer.connect(service.port)).read();
    expect([...(await peer.take(expected.length))]).toEqual(expected);
  });
});
