import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TextFramer } from '../../src/engine/javascript/framers/text-framer.js';

/** What a framer makes of chunks: texts, and at the end why there are no more. */
function framesOf(chunks: readonly Buffer[], maxFrameLength = 1 << 20): unknown[] {
  const framer = new TextFramer(maxFrameLength);
  const found: unknown[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (;;) {
      const frame = framer.next();
      if (frame === 'incomplete') break;
      if (frame === 'invalid') return [...found, frame];
      if ('noBeginning' in frame) return [...found, 'invalid'];
      if (!('text' in frame)) return [...found, frame];
      expect(frame.bytes).toBe(Buffer.byteLength(frame.text));
      found.push(frame.text);
    }
  }
  return found;
}

/** `bytes` cut where `cuts` say. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const frameOf = (text: string): string => `${text.length}#${text}`;
const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 8 });

describe('TextFramer', () => {
  it('R4: finds the same frames wherever chunks end', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
        const bytes = Buffer.from(frames.map(frameOf).join(''));
        expect(framesOf(split(bytes, cuts))).toEqual(frames);
      }),
    );
  });

  it('R4: keeps nothing of whole frames, and counts what it keeps of one that has begun', () => {
    const framer = new TextFramer(100);
    framer.push(Buffer.from('2#{}5#'));
    expect(framer.next()).toEqual({ text: '{}', bytes: 2 });
    expect(framer.next()).toBe('incomplete');
    expect(framer.kept).toBe(2);
    framer.push(Buffer.from('12345'));
    expect(framer.next()).toEqual({ text: '12345', bytes: 5 });
    expect(framer.kept).toBe(0);
  });

  it('R4: takes up to 16 characters of white space before a frame', () => {
    expect(framesOf([Buffer.from(`2#{}${' \r\n\t'.repeat(4)}2#[]`)])).toEqual(['{}', '[]']);
    expect(framesOf([Buffer.from(`2#{}${' '.repeat(17)}2#[]`)])).toEqual(['{}', 'invalid']);
  });

  it('R4: refuses what is no length, and a length that would cut a character', () => {
    for (const bytes of ['#', 'a#', '-1#x', '1 #x', '12345678901#x', '{}', '1#\u{1f600}']) {
      expect(framesOf([Buffer.from(bytes)], 1e12)).toEqual(['invalid']);
    }
  });

  it('R4: refuses a frame by its length, before or after it is there', () => {
    expect(framesOf([Buffer.from('11#')], 10)).toEqual([{ tooLong: 11 }]);
    expect(framesOf([Buffer.from(frameOf('ééééé'))], 9)).toEqual([{ tooLong: 10 }]);
    expect(framesOf([Buffer.from(frameOf('éééé'))], 9)).toEqual(['éééé']);
  });

  it('R3: refuses a frame whose bytes are too many as soon as they are there, though code units are missing', () => {
    const begun = Buffer.from('9#ééééé');
    expect(framesOf([begun], 9)).toEqual([{ tooLong: 10 }]);
    const bytes = Array.from(begun, (byte) => Buffer.from([byte]));
    expect(framesOf(bytes, 9)).toEqual([{ tooLong: 10 }]);
    expect(framesOf(bytes.slice(0, -1), 9)).toEqual([]);
    expect(framesOf([Buffer.from('8#éé'), Buffer.from('aaaaaa9#é')], 10)).toEqual(['ééaaaaaa']);
  });
});
