import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { NativeReactor } from '../../src/engine/native/binding.js';
import {
  CONTROL_IN_BATCH,
  CONTROL_OPEN_SLAB,
  RECORD_HEADER,
  SLAB_HEADER,
  SLAB_SIZE,
} from '../../src/engine/native/layout.js';
import { FixedText } from '../../src/engine/fixed-text.js';
import { Outbound } from '../../src/engine/native/outbound.js';
import { MAX_SHARED_PAYLOAD, Operation, SendFlag } from '../../src/engine/loop-port.js';

const MAX_PIECE = SLAB_SIZE / 2;

/** Plays the loop: reads the records that were handed over. */
class FakeLoop {
  readonly control = new Int32Array(CONTROL_OPEN_SLAB + 1);
  /** What each connection was sent, and the commands for it, in order. */
  readonly streams = new Map<string, (Buffer | string)[]>();
  readonly flags: number[] = [];
  records = 0;
  flushesAsked = 0;
  readonly outbound: Outbound;
  private readonly slabs = [0, 1, 2].map(() => new ArrayBuffer(SLAB_SIZE));

  constructor() {
    const reactor = { publish: () => this.publish() } as unknown as NativeReactor;
    this.outbound = new Outbound(reactor, 0, this.slabs, this.control, () => this.flushesAsked++, Infinity);
    this.open(0);
  }

  publish(): void {
    const index = this.control[CONTROL_OPEN_SLAB]!;
    const slab = Buffer.from(this.slabs[index]!);
    const end = slab.readInt32LE(0);
    expect(end).toBeLessThanOrEqual(SLAB_SIZE);
    let at = SLAB_HEADER;
    while (at < end) at += this.take(slab, at);
    expect(at).toBe(end);
    slab.fill(0xee); // nothing may be written there any more
    this.open((index + 1) % this.slabs.length);
  }

  /** Everything sent to a connection, once it was handed over. */
  sent(slot: number, generation = 1): Buffer {
    const parts = this.streams.get(`${slot}/${generation}`) ?? [];
    return Buffer.concat(parts.filter((part) => typeof part !== 'string'));
  }

  private open(index: number): void {
    new Int32Array(this.slabs[index]!)[0] = SLAB_HEADER;
    this.control[CONTROL_OPEN_SLAB] = index;
  }

  private take(slab: Buffer, at: number): number {
    const [first, slot, generation, length] = [0, 4, 8, 12].map((offset) => slab.readInt32LE(at + offset));
    const stream = this.streams.get(`${slot}/${generation}`) ?? [];
    this.streams.set(`${slot}/${generation}`, stream);
    this.records++;
    const payload = Buffer.from(slab.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length!));
    if ((first! & 0xff) === Operation.Send) {
      stream.push(payload);
      this.flags.push(first! >> 8);
    } else stream.push(`command ${first! & 0xff}`);
    const receivers = (first! & 0xff) === Operation.Multicast ? slot! * 8 : 0;
    return RECORD_HEADER + ((length! + 3) & ~3) + receivers;
  }
}

/** What a frame of these pieces is on the wire. */
function expected(pieces: readonly string[]): Buffer {
  const text = pieces.join('');
  return Buffer.concat([Buffer.from(`${text.length}#`), Buffer.from(text)]);
}

/** Compares without printing megabytes. */
function expectBytes(actual: Buffer, wanted: Buffer): void {
  expect(actual.length).toBe(wanted.length);
  if (actual.equals(wanted)) return;
  const at = actual.findIndex((byte, index) => byte !== wanted[index]);
  expect([at, actual.subarray(at, at + 20)]).toEqual([at, wanted.subarray(at, at + 20)]);
}

const LONE = ['\ud83d|', '\ude00', 'a\ud83db', '\ude00\ud83d'];
const fillers = ['x', 'é', '漢', '😀', '\ud83d|', 'x漢', 'é😀x'];

describe('sendFrame', () => {
  it.each([
    ['nothing', ['']],
    ['no piece at all', []],
    ['one piece', ['{}']],
    ['an envelope', ['{"response":', '1', ',"isDisposed":true,"id":"', 'abc', '"}']],
    ['empty pieces', ['', '{', '', '}', '']],
    ['Latin-1', ['{"response":', '"caf\u00e9"', '}']],
    ['CJK', ['"', '漢字', '"']],
    ['emoji', ['"', '😀', '"']],
    ['control characters', ['\u0000', '\u001f\u007f', '\u0080\u07ff\u0800']],
    ['lone surrogates, which become U+FFFD', LONE],
  ])('writes the length in code units and the text as UTF-8: %s', (_, pieces) => {
    const loop = new FakeLoop();
    const written = loop.outbound.sendFrame(1, 1, pieces, 0);
    loop.publish();
    expectBytes(loop.sent(1), expected(pieces));
    expect(written).toBe(expected(pieces).length);
  });

  it('leaves the length right when a surrogate pair lies in two pieces, which become two U+FFFD', () => {
    const loop = new FakeLoop();
    expect(loop.outbound.sendFrame(1, 1, ['\ud83d', '\ude00'], 0)).toBe(8);
    loop.publish();
    expect(loop.sent(1).toString()).toBe('2#\ufffd\ufffd');
  });

  it('writes fixed text of any length byte-exact, at any place of a slab up to its end', () => {
    const loop = new FakeLoop();
    const frames: Buffer[] = [];
    const ascii = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)).join('');
    for (let turn = 0; turn < 60; turn++) {
      for (let length = 0; length < ascii.length; length++) {
        const texts = [ascii.slice(0, length), 'é'.repeat(turn % 9), ascii.slice(ascii.length - length)];
        const [head, body, tail] = texts as [string, string, string];
        loop.outbound.sendFrame(1, 1, [new FixedText(head), body, new FixedText(tail)], 0);
        frames.push(expected(texts));
      }
    }
    loop.publish();
    const bytes = Buffer.concat(frames);
    expect(bytes.length).toBeGreaterThan(3 * SLAB_SIZE);
    expectBytes(loop.sent(1), bytes);
    const long = new FixedText('x'.repeat(SLAB_SIZE));
    loop.outbound.sendFrame(2, 1, [long, 'é'], 0);
    loop.publish();
    expectBytes(loop.sent(2), expected([String(long), 'é']));
  });

  it('takes no fixed text but ASCII', () => {
    expect(() => new FixedText('caf\u00e9')).toThrow(RangeError);
  });

  it('writes pieces byte-exact up to and beyond what a loop copies, of any characters', () => {
    for (const filler of fillers) {
      const loop = new FakeLoop();
      const frames: Buffer[] = [];
      for (let length = 0; length <= 110; length++) {
        const text = filler.repeat(length).slice(0, length);
        for (const pieces of [[text], ['{', text, '}'], [text, '|', text]]) {
          loop.outbound.sendFrame(1, 1, pieces, 0);
          frames.push(expected(pieces));
        }
      }
      loop.publish();
      expectBytes(loop.sent(1), Buffer.concat(frames));
    }
  });

  it('writes lengths of every number of digits', () => {
    const loop = new FakeLoop();
    const lengths = [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9999, 10_000, 99_999, 100_000, 1_000_000];
    for (const length of lengths) loop.outbound.sendFrame(1, 1, ['x'.repeat(length)], 0);
    loop.publish();
    expectBytes(loop.sent(1), Buffer.concat(lengths.map((length) => expected(['x'.repeat(length)]))));
  });

  it('writes frames around the longest piece, and longer than several slabs', () => {
    const units = Math.floor((MAX_PIECE - 11) / 3); // at most so many fit a piece for certain
    for (const filler of fillers) {
      for (const length of [
        units - 1,
        units,
        units + 1,
        MAX_PIECE - 7,
        MAX_PIECE,
        MAX_PIECE + 1,
        5 * SLAB_SIZE + 3,
      ]) {
        const loop = new FakeLoop();
        const text = filler.repeat(length).slice(0, length);
        const pieces = ['{"response":"', text, '|"}'];
        loop.outbound.sendFrame(2, 1, ['before'], 0);
        const written = loop.outbound.sendFrame(2, 1, pieces, 0);
        loop.outbound.sendFrame(2, 1, ['after'], 0);
        loop.publish();
        expectBytes(loop.sent(2), Buffer.concat([['before'], pieces, ['after']].map(expected)));
        expect(written).toBe(expected(pieces).length);
      }
    }
  });

  it('fills slab after slab with frames for one connection, and begins none before there is room for it', () => {
    const loop = new FakeLoop();
    const frames: Buffer[] = [];
    for (let number = 0; number < 2_000; number++) {
      const pieces = [
        '{"n":',
        String(number),
        ',"s":"',
        '漢'.repeat(number % 97),
        'x'.repeat(number % 301),
        '"}',
      ];
      loop.outbound.sendFrame(3, 1, pieces, 0);
      frames.push(expected(pieces));
    }
    loop.publish();
    expectBytes(loop.sent(3), Buffer.concat(frames));
  });

  it('puts consecutive frames to one connection into one record', () => {
    const loop = new FakeLoop();
    for (let number = 0; number < 50; number++)
      loop.outbound.sendFrame(1, 1, ['{"n":', String(number), '}'], 0);
    loop.publish();
    expect(loop.records).toBe(1);
  });

  it('starts another record for another connection, another generation and after a command', () => {
    const loop = new FakeLoop();
    loop.outbound.sendFrame(1, 1, ['a'], 0);
    loop.outbound.sendFrame(1, 2, ['b'], 0);
    loop.outbound.sendFrame(2, 2, ['c'], 0);
    loop.outbound.command(Operation.Close, 2, 2);
    loop.outbound.sendFrame(2, 2, ['d'], 0);
    loop.publish();
    expect(loop.records).toBe(5);
    expect(loop.streams.get('2/2')).toEqual([
      Buffer.from('1#c'),
      `command ${Operation.Close}`,
      Buffer.from('1#d'),
    ]);
  });

  it('asks to be told with the last piece of a long frame only', () => {
    const loop = new FakeLoop();
    loop.outbound.sendFrame(1, 1, ['x'.repeat(3 * SLAB_SIZE)], SendFlag.NotifyFlushed);
    loop.publish();
    expect(loop.flags.filter((flags) => flags !== 0)).toHaveLength(1);
    expect(loop.flags.at(-1)).toBe(SendFlag.NotifyFlushed);
  });

  it('asks for one flush a slab, and for none within a batch', () => {
    const loop = new FakeLoop();
    loop.outbound.sendFrame(1, 1, ['a'], 0);
    loop.outbound.sendFrame(2, 1, ['b'], 0);
    expect(loop.flushesAsked).toBe(1);
    loop.publish();
    loop.control[CONTROL_IN_BATCH] = 1;
    loop.outbound.sendFrame(1, 1, ['c'], 0);
    expect(loop.flushesAsked).toBe(1);
  });

  it('keeps each connection its bytes and their order, whatever is sent to whom', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc
        .tuple(fc.constantFrom(...fillers, ...LONE), fc.integer({ min: 0, max: 30_000 }))
        .map(([filler, times]) => filler.repeat(Math.ceil(times / filler.length))),
    );
    const step = fc.record({
      slot: fc.integer({ min: 0, max: 3 }),
      kind: fc.constantFrom('frame', 'frame', 'frame', 'send', 'text', 'command'),
      // A surrogate pair does not lie in two pieces: JSON.stringify leaves none open.
      pieces: fc.array(text, { maxLength: 4 }).map((pieces) => pieces.map((piece) => `${piece}|`)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const loop = new FakeLoop();
        const wanted = new Map<number, (Buffer | string)[]>();
        for (const { slot, kind, pieces } of steps) {
          const stream = wanted.get(slot) ?? [];
          wanted.set(slot, stream);
          const joined = pieces.join('');
          if (kind === 'frame') loop.outbound.sendFrame(slot, 1, pieces, 0);
          else if (kind === 'send') loop.outbound.send(slot, 1, Buffer.from(joined), 0);
          else if (kind === 'text') loop.outbound.sendText(slot, 1, joined, Buffer.byteLength(joined), 0);
          else loop.outbound.command(Operation.Pause, slot, 1);
          if (kind === 'command') stream.push(`command ${Operation.Pause}`);
          else stream.push(kind === 'frame' ? expected(pieces) : Buffer.from(joined));
        }
        loop.publish();
        for (const [slot, stream] of wanted) {
          expect(merged(loop.streams.get(`${slot}/1`) ?? [])).toEqual(merged(stream));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('M6: numbers in records are in the byte order of the machine, as the native side reads them', () => {
    const slab = new ArrayBuffer(SLAB_SIZE);
    new Int32Array(slab)[0] = SLAB_HEADER;
    const reactor = {} as NativeReactor;
    const outbound = new Outbound(
      reactor,
      0,
      [slab],
      new Int32Array(CONTROL_OPEN_SLAB + 1),
      () => undefined,
      Infinity,
    );
    outbound.startTimer(7, 1.5, 2.5);
    outbound.dial(8, 3.5, 80, '::1');
    const timer = SLAB_HEADER + RECORD_HEADER;
    const dial = timer + 16 + RECORD_HEADER;
    expect([...new Float64Array(slab.slice(timer, timer + 16))]).toEqual([1.5, 2.5]);
    expect([...new Float64Array(slab.slice(dial, dial + 8))]).toEqual([3.5]);
    expect([...new Int32Array(slab.slice(dial + 8, dial + 12))]).toEqual([80]);
    const source = readFileSync(new URL('../../src/engine/native/outbound.ts', import.meta.url), 'utf8');
    expect(source).not.toMatch(/(read|write)\w+[LB]E\b/);
  });

  it('M6: nothing of any length leaves a slab: it is taken whole, or refused before a byte of it is written', () => {
    const around = [0, 1, MAX_PIECE, SLAB_SIZE - SLAB_HEADER - RECORD_HEADER, SLAB_SIZE, 3 * SLAB_SIZE];
    const length = fc.oneof(
      fc
        .tuple(fc.constantFrom(...around), fc.integer({ min: -40, max: 40 }))
        .map(([at, by]) => Math.max(at + by, 0)),
      fc.nat(300),
    );
    const step = fc.record({ kind: fc.constantFrom('dial', 'multicast', 'send', 'text', 'frame'), length });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const loop = new FakeLoop();
        for (const { kind, length } of steps) {
          const text = 'é'.repeat(length / 2) + 'x'.repeat(length % 2);
          const bytes = Buffer.from(text);
          const act = (): unknown => {
            if (kind === 'dial') return loop.outbound.dial(1, 0, -1, text);
            if (kind === 'multicast') return loop.outbound.multicast(bytes, [1, 1, 2, 1]);
            if (kind === 'send') return loop.outbound.send(1, 1, bytes, 0);
            if (kind === 'text') return loop.outbound.sendText(1, 1, text, length, 0);
            return loop.outbound.sendFrame(1, 1, [text], 0);
          };
          const most = { dial: SLAB_SIZE - SLAB_HEADER - RECORD_HEADER - 12, multicast: MAX_SHARED_PAYLOAD };
          if (length > (most[kind as 'dial'] ?? Infinity)) expect(act).toThrow(RangeError);
          else act();
        }
        loop.publish(); // which looks whether records end where the slab's content does
      }),
      { numRuns: 60 },
    );
  });
});

/** Consecutive bytes as one, and not in megabytes should they differ. */
function merged(stream: readonly (Buffer | string)[]): string[] {
  const out: string[] = [];
  let bytes: Buffer[] = [];
  const flush = (): void => {
    const all = Buffer.concat(bytes);
    if (all.length > 0)
      out.push(`${all.length} bytes ${all.length > 500 ? hash(all) : all.toString('latin1')}`);
    bytes = [];
  };
  for (const part of stream) {
    if (typeof part !== 'string') bytes.push(part);
    else {
      flush();
      out.push(part);
    }
  }
  flush();
  return out;
}

function hash(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
