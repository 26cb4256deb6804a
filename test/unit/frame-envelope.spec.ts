import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FrameEnvelope } from '../../src/engine/frame-envelope.js';
import { FramingKind, type EngineFraming, type EngineLengthField } from '../../src/engine/engine-options.js';

const MAX = 1_000_000;

const lines: EngineFraming = {
  kind: FramingKind.delimited,
  maxFrameLength: MAX,
  delimiter: Buffer.from('\r\n'),
};

function lengthField(field: Partial<EngineLengthField>): EngineFraming {
  const all = {
    size: 4,
    littleEndian: false,
    offset: 0,
    adjustment: 0,
    includesHeader: false,
    strip: -1,
  } as const;
  return { kind: FramingKind['length-field'], maxFrameLength: MAX, lengthField: { ...all, ...field } };
}

function wrapped(framing: EngineFraming, data: string | Buffer): string {
  return FrameEnvelope.of(framing)!.wrap(data).toString('latin1');
}

/** The length that a reader finds at the start of a frame, and where it ends. */
function readField(frame: Buffer, { size, littleEndian }: EngineLengthField): [length: number, end: number] {
  if (size === 8) {
    return [Number(littleEndian ? frame.readBigUInt64LE() : frame.readBigUInt64BE()), 8];
  }
  if (size > 0) return [littleEndian ? frame.readUIntLE(0, size) : frame.readUIntBE(0, size), size];
  let length = 0;
  for (let i = 0; ; i++) {
    length += (frame[i]! & 0x7f) * 2 ** (7 * i);
    if (frame[i]! < 0x80) return [length, i + 1];
  }
}

describe('FrameEnvelope', () => {
  it('R2: puts a delimiter behind what is sent, or a length of any size in front of it', () => {
    expect(wrapped(lines, 'ab')).toBe('ab\r\n');
    expect(wrapped(lines, '')).toBe('\r\n');
    expect(wrapped(lengthField({ size: 1 }), 'ab')).toBe('\x02ab');
    expect(wrapped(lengthField({ size: 2 }), 'ab')).toBe('\0\x02ab');
    expect(wrapped(lengthField({ size: 3, strip: 3 }), 'ab')).toBe('\0\0\x02ab');
    expect(wrapped(lengthField({ size: 3, littleEndian: true }), Buffer.alloc(0x010203)).slice(0, 3)).toBe(
      '\x03\x02\x01',
    );
    expect(wrapped(lengthField({ size: 3 }), Buffer.alloc(0x010203)).slice(0, 3)).toBe('\x01\x02\x03');
    expect(wrapped(lengthField({ size: 4, littleEndian: true }), 'ab')).toBe('\x02\0\0\0ab');
    expect(wrapped(lengthField({ size: 8 }), 'ab')).toBe('\0\0\0\0\0\0\0\x02ab');
    expect(wrapped(lengthField({ size: 8, littleEndian: true }), 'ab')).toBe('\x02\0\0\0\0\0\0\0ab');
    expect(wrapped(lengthField({ size: 0 }), 'ab')).toBe('\x02ab');
    expect(wrapped(lengthField({ size: 0 }), 'x'.repeat(300)).slice(0, 2)).toBe('\xac\x02');
    expect(wrapped(lengthField({ size: 1 }), 'é')).toBe('\x02\xc3\xa9');
  });

  it('R2: counts the header, and adjusts, as the reader does', () => {
    expect(wrapped(lengthField({ size: 2, includesHeader: true }), 'ab')).toBe('\0\x04ab');
    expect(wrapped(lengthField({ size: 2, adjustment: -3 }), 'ab')).toBe('\0\x05ab');
    expect(wrapped(lengthField({ size: 0, includesHeader: true }), 'x'.repeat(126)).slice(0, 1)).toBe('\x7f');
    expect(wrapped(lengthField({ size: 0, includesHeader: true }), 'x'.repeat(127)).slice(0, 2)).toBe(
      '\x81\x01',
    );
  });

  it('R2: writes the length into a frame that is sent whole', () => {
    const modbus = lengthField({ size: 2, offset: 4, strip: 0 });
    const frame = Buffer.from([0, 1, 0, 0, 0xff, 0xff, 1, 3, 2]);
    expect(FrameEnvelope.of(modbus)!.wrap(frame)).toEqual(Buffer.from([0, 1, 0, 0, 0, 3, 1, 3, 2]));
    expect(frame[4]).toBe(0xff); // what is sent is not changed
    const whole = lengthField({ size: 2, offset: 1, strip: 0, includesHeader: true });
    expect(FrameEnvelope.of(whole)!.wrap(Buffer.from('A..bc')).toString('latin1')).toBe('A\0\x05bc');
    expect(FrameEnvelope.of(whole)!.minContent).toBe(3);
  });

  it('is none where only the sender knows the header', () => {
    expect(FrameEnvelope.of({ kind: FramingKind.raw, maxFrameLength: MAX })).toBeUndefined();
    expect(FrameEnvelope.of(lengthField({ offset: 2 }))).toBeUndefined();
    expect(FrameEnvelope.of(lengthField({ size: 4, strip: 2 }))).toBeUndefined();
    expect(FrameEnvelope.of(lengthField({ size: 0, strip: 0 }))).toBeUndefined();
  });

  it('knows how much a length can tell', () => {
    expect(FrameEnvelope.of(lengthField({ size: 1 }))).toMatchObject({ minContent: 0, maxContent: 255 });
    expect(FrameEnvelope.of(lengthField({ size: 1, includesHeader: true }))!.maxContent).toBe(254);
    expect(FrameEnvelope.of(lengthField({ size: 1, adjustment: 5 }))!.minContent).toBe(5);
    expect(FrameEnvelope.of(lines)!.maxContent).toBe(Infinity);
  });

  it('R2: a reader of the same options finds what was sent', () => {
    fc.assert(
      fc.property(
        fc.record({
          size: fc.constantFrom<EngineLengthField['size'][]>(0, 1, 2, 3, 4, 8),
          littleEndian: fc.boolean(),
          adjustment: fc.integer({ min: -10, max: 10 }),
          includesHeader: fc.boolean(),
        }),
        fc.integer({ min: 0, max: 70_000 }),
        (field, content) => {
          const framing = lengthField(field);
          const envelope = FrameEnvelope.of(framing)!;
          if (content < envelope.minContent || content > envelope.maxContent) return;
          const frame = envelope.wrap(Buffer.alloc(content, 'x'));
          const [length, end] = readField(frame, framing.lengthField!);
          expect(frame.length).toBe(length + field.adjustment + (field.includesHeader ? 0 : end));
          expect(frame.length - end).toBe(content);
        },
      ),
    );
  });
});
