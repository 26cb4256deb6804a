import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DelimitedFramer } from '../../src/engine/javascript/framers/delimited-framer.js';
import type { Framer } from '../../src/engine/javascript/framers/framer.js';
import { LengthFieldFramer } from '../../src/engine/javascript/framers/length-field-framer.js';
import type { EngineLengthField } from '../../src/engine/engine-options.js';

/** What is found in bytes, in hex; why there is no more, if not for want of bytes; and how many are kept. */
interface Found {
  readonly frames: readonly string[];
  readonly end: 'incomplete' | 'invalid' | 'too long';
}

const hex = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

/** Has a framer cut chunks. */
function cut(framer: Framer, chunks: readonly Buffer[]): Found & { readonly kept: number } {
  const frames: string[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (;;) {
      const frame = framer.next();
      if (frame === 'incomplete') break;
      if (frame === 'invalid') return { frames, end: frame, kept: framer.kept };
      if ('tooLong' in frame) return { frames, end: 'too long', kept: framer.kept };
      if ('noBeginning' in frame) return { frames, end: 'invalid', kept: framer.kept };
      frames.push('data' in frame ? frame.data.toString('hex') : Buffer.from(frame.text).toString('hex'));
    }
  }
  return { frames, end: 'incomplete', kept: framer.kept };
}

/** `bytes` in pieces that end where `cuts` say, each with memory of its own. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => Buffer.from(bytes.subarray(at[index], end)));
}

interface Delimited {
  readonly delimiter: Buffer;
  readonly stripCarriageReturn: boolean;
  readonly maxFrameLength: number;
}

/** The same from all bytes at once, as plainly as can be. */
function cutLines(bytes: Buffer, { delimiter, stripCarriageReturn, maxFrameLength }: Delimited): Found {
  const frames: string[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf(delimiter);
    if (end === -1) break;
    let frame = rest.subarray(0, end);
    if (stripCarriageReturn && frame.at(-1) === 13) frame = frame.subarray(0, -1);
    if (frame.length > maxFrameLength) return { frames, end: 'too long' };
    frames.push(frame.toString('hex'));
    rest = rest.subarray(end + delimiter.length);
  }
  // Whether anything that may still come makes a frame of it.
  const longest = maxFrameLength + (stripCarriageReturn ? 1 : 0) + delimiter.length - 1;
  return { frames, end: rest.length > longest ? 'too long' : 'incomplete' };
}

/** Likewise, with numbers that lose nothing. */
function cutMeasured(bytes: Buffer, field: EngineLengthField, maxFrameLength: number): Found {
  const frames: string[] = [];
  let rest = bytes;
  for (;;) {
    const header = readHeader(rest, field);
    if (typeof header === 'string') return { frames, end: header };
    const total = header.value + BigInt(field.adjustment) + BigInt(field.includesHeader ? 0 : header.end);
    const strip = field.strip === -1 ? header.end : field.strip;
    if (total < header.end || total < strip) return { frames, end: 'invalid' };
    if (total - BigInt(strip) > maxFrameLength) return { frames, end: 'too long' };
    if (total > rest.length) return { frames, end: 'incomplete' };
    frames.push(rest.subarray(strip, Number(total)).toString('hex'));
    rest = rest.subarray(Number(total));
  }
}

function readHeader(
  bytes: Buffer,
  { size, offset, littleEndian }: EngineLengthField,
): { value: bigint; end: number } | 'incomplete' | 'invalid' {
  if (size > 0) {
    const digits = [...bytes.subarray(offset, offset + size)];
    if (digits.length < size) return 'incomplete';
    if (littleEndian) digits.reverse();
    return { value: digits.reduce((sum, digit) => (sum << 8n) + BigInt(digit), 0n), end: offset + size };
  }
  const digits = [...bytes.subarray(offset, offset + 5)];
  const last = digits.findIndex((digit) => digit < 0x80);
  if (last === -1) return digits.length === 5 ? 'invalid' : 'incomplete';
  if (last > 0 && digits[last] === 0) return 'invalid';
  const value = digits.slice(0, last + 1).reduceRight((sum, digit) => (sum << 7n) + BigInt(digit & 0x7f), 0n);
  return { value, end: offset + last + 1 };
}

const lines = (options: Partial<Delimited> & { text?: boolean } = {}): DelimitedFramer =>
  new DelimitedFramer({
    ...{ delimiter: Buffer.from('\n'), stripCarriageReturn: false, maxFrameLength: 100, text: false },
    ...options,
  });

const FIELD: EngineLengthField = {
  ...{ size: 4, littleEndian: false, offset: 0, adjustment: 0 },
  ...{ includesHeader: false, strip: -1 },
};

const measured = (field: Partial<EngineLengthField>, maxFrameLength = 100, text = false): LengthFieldFramer =>
  new LengthFieldFramer({ field: { ...FIELD, ...field }, maxFrameLength, text });

const cuts = fc.array(fc.nat(), { maxLength: 30 });

describe('DelimitedFramer', () => {
  it('R4: finds what there is wherever chunks end', () => {
    // Of few letters, so that delimiters, halves of them and carriage returns are everywhere.
    const bytes = fc
      .array(fc.constantFrom(...'ab\r\n'), { maxLength: 120 })
      .map((letters) => Buffer.from(letters.join('')));
    const delimiters = fc
      .constantFrom('\n', '\r\n', 'ab', 'aab', 'abab', '\n\n\n')
      .map((text) => Buffer.from(text));
    fc.assert(
      fc.property(
        bytes,
        cuts,
        delimiters,
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        (all, at, delimiter, stripCarriageReturn, maxFrameLength) => {
          const options = { delimiter, stripCarriageReturn, maxFrameLength };
          const { kept, ...found } = cut(lines(options), split(all, at));
          expect(found).toEqual(cutLines(all, options));
          if (found.end === 'incomplete') expect(kept).toBe(lastOf(all, delimiter));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('R4: two delimiters in a row have an empty frame between them, a split CR LF has none', () => {
    expect(cut(lines(), [hex('\n\na\n')]).frames).toEqual(['', '', '61']);
    expect(cut(lines({ stripCarriageReturn: true }), [hex('a\r'), hex('\nb\r\r\n')]).frames).toEqual([
      '61',
      '620d',
    ]);
    expect(cut(lines({ delimiter: hex('\r\n') }), [hex('a\r'), hex('\nb\n'), hex('c\r\n')]).frames).toEqual([
      '61',
      '620a63',
    ]);
  });

  it('R4: a frame of the greatest length is one, a longer one is refused, ended or not', () => {
    const options = { maxFrameLength: 3, stripCarriageReturn: true };
    expect(cut(lines(options), [hex('abc\r'), hex('\n')])).toEqual({
      frames: ['616263'],
      end: 'incomplete',
      kept: 0,
    });
    expect(cut(lines(options), [hex('abcd\n')]).end).toBe('too long');
    expect(cut(lines(options), [hex('abc\r')]).end).toBe('incomplete');
    expect(cut(lines(options), [hex('abcde')]).end).toBe('too long');
    expect(lines(options).next()).toBe('incomplete');
  });

  it('R4: text is UTF-8, wherever its characters are split', () => {
    const framer = lines({ text: true });
    const bytes = hex('é漢😀\n');
    for (const byte of bytes.subarray(0, -1)) {
      framer.push(Buffer.of(byte));
      expect(framer.next()).toBe('incomplete');
    }
    framer.push(bytes.subarray(-1));
    expect(framer.next()).toEqual({ text: 'é漢😀', bytes: 9 });
  });
});

/** How many bytes come behind the last frame that `delimiter` ends. */
function lastOf(all: Buffer, delimiter: Buffer): number {
  let rest = all;
  for (let end = rest.indexOf(delimiter); end !== -1; end = rest.indexOf(delimiter))
    rest = rest.subarray(end + delimiter.length);
  return rest.length;
}

describe('LengthFieldFramer', () => {
  it('R4: finds what there is wherever chunks end', () => {
    const fields = fc.record({
      size: fc.constantFrom(0, 1, 2, 3, 4, 8),
      littleEndian: fc.boolean(),
      offset: fc.integer({ min: 0, max: 4 }),
      adjustment: fc.integer({ min: -6, max: 6 }),
      includesHeader: fc.boolean(),
      strip: fc.integer({ min: -1, max: 8 }),
    }) as fc.Arbitrary<EngineLengthField>;
    // Many zeros, so that large fields hold small numbers often.
    const bytes = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 12 }), fc.nat(255)), {
      maxLength: 150,
    });
    fc.assert(
      fc.property(bytes, cuts, fields, fc.integer({ min: 1, max: 40 }), (all, at, field, maxFrameLength) => {
        const input = Buffer.from(all);
        const { frames, end } = cut(measured(field, maxFrameLength), split(input, at));
        expect({ frames, end }).toEqual(cutMeasured(input, field, maxFrameLength));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each<[string, Partial<EngineLengthField>, Buffer, string[]]>([
    ['of 4 bytes', {}, hex([0, 0, 0, 2], 'hi'), ['6869']],
    ['little-endian', { size: 2, littleEndian: true }, hex([2, 0], 'hi'), ['6869']],
    ['of 3 bytes', { size: 3 }, hex([0, 0, 1], 'h'), ['68']],
    ['of 8 bytes', { size: 8 }, hex([0, 0, 0, 0, 0, 0, 0, 1], 'h'), ['68']],
    [
      'of 8 bytes, little-endian',
      { size: 8, littleEndian: true },
      hex([1, 0, 0, 0, 0, 0, 0, 0], 'h'),
      ['68'],
    ],
    ['that counts the header', { size: 2, includesHeader: true }, hex([0, 4], 'hi'), ['6869']],
    [
      'behind other bytes, with a trailer',
      { size: 1, offset: 2, adjustment: 2, strip: 0 },
      hex('xx', [1], 'hCC'),
      ['7878016843' + '43'],
    ],
    ['of an empty frame', { size: 1 }, hex([0], [0]), ['', '']],
    ['as a varint of two bytes', { size: 0 }, hex([0x80, 1], 'a'.repeat(128)), ['61'.repeat(128)]],
    ['as a varint of one byte', { size: 0 }, hex([1], 'h'), ['68']],
  ])('R4: reads a field %s', (_name, field, bytes, expected) => {
    const found = cut(measured(field, 200), [bytes]);
    expect(found.frames).toEqual(expected);
    for (let at = 0; at <= bytes.length; at++)
      expect(cut(measured(field, 200), split(bytes, [at]))).toEqual(found);
  });

  it.each<[string, Partial<EngineLengthField>, number[], string]>([
    ['2 ** 64 - 1', { size: 8 }, [255, 255, 255, 255, 255, 255, 255, 255], 'too long'],
    [
      '2 ** 64 - 1, less 2 GiB',
      { size: 8, adjustment: -(2 ** 31 - 1) },
      [255, 255, 255, 255, 255, 255, 255, 255],
      'too long',
    ],
    ['2 ** 53 + 1', { size: 8 }, [0, 32, 0, 0, 0, 0, 0, 1], 'too long'],
    ['one more than may be', {}, [0, 0, 0, 101], 'too long'],
    ['one more than may be behind the adjustment', { adjustment: 1 }, [0, 0, 0, 100], 'too long'],
    ['as much as may be', {}, [0, 0, 0, 100], 'incomplete'],
    ['less than the header that it counts', { includesHeader: true }, [0, 0, 0, 3], 'invalid'],
    ['a header alone', { includesHeader: true }, [0, 0, 0, 4], 'incomplete'],
    ['less than nothing behind the adjustment', { adjustment: -2 }, [0, 0, 0, 1], 'invalid'],
    ['less than what is stripped', { strip: 6 }, [0, 0, 0, 1], 'invalid'],
    ['a varint of six bytes', { size: 0 }, [128, 128, 128, 128, 128, 1], 'invalid'],
    ['a varint with a zero too many', { size: 0 }, [129, 0], 'invalid'],
    ['a varint of 35 bits', { size: 0 }, [255, 255, 255, 255, 127], 'too long'],
    ['half a varint', { size: 0 }, [255, 255], 'incomplete'],
  ])('R4: %s: %j', (_name, field, bytes, end) => {
    const input = Buffer.from(bytes);
    for (let at = 0; at <= input.length; at++) expect(cut(measured(field), split(input, [at])).end).toBe(end);
  });

  it('M2: keeps what has come of a frame, not the chunk it came with, nor room for what is announced', () => {
    const framer = measured({}, 2 ** 31);
    const chunk = hex([0, 0, 0, 1], 'x', [0x7f, 0xff, 0xff, 0xff], 'abc');
    framer.push(chunk);
    expect(framer.next()).toEqual({ data: hex('x') });
    expect(framer.next()).toBe('incomplete');
    expect(framer.kept).toBe(7);
    chunk.fill(0); // it is read no more
    framer.push(hex('d'));
    expect(framer.next()).toBe('incomplete');
    const { start } = framer as unknown as { start: { bytes: Buffer } };
    expect(start.bytes.subarray(4).toString()).toBe('abcd');
    expect(start.bytes.buffer.byteLength).toBeLessThanOrEqual(64);
  });

  it('M2: a frame that comes byte by byte costs time for each byte once', () => {
    const framer = measured({}, 2 ** 20);
    framer.push(hex([0, 1, 0, 0]));
    let copied = 0;
    const { start } = framer as unknown as { start: { bytes: Buffer } };
    for (let memory = start.bytes.buffer, index = 0; index < 65_535; index++) {
      expect(framer.next()).toBe('incomplete');
      if (start.bytes.buffer !== memory) {
        memory = start.bytes.buffer;
        copied += framer.kept;
      }
      framer.push(hex('x'));
    }
    expect(framer.next()).toBe('incomplete');
    framer.push(hex('x'));
    const frame = framer.next();
    expect(frame).toEqual({ data: Buffer.alloc(65_536, 'x') });
    expect(copied).toBeLessThan(2 * 65_536);
  });
});
