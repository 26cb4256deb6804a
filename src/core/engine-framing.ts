import { type EngineFraming, FramingKind } from '../engine/engine-options.js';
import type { GevFraming } from '../protocol/framing.js';

/** Whether the engine makes text of its frames. */
export function isText(framing: GevFraming): boolean {
  return framing.kind === 'nest-tcp' || ('encoding' in framing && isUtf8(framing.encoding));
}

/**
 * What an engine has to know of a framing.
 *
 * @param maxFrameLength of the reactor, in bytes
 */
export function engineFraming(framing: GevFraming, maxFrameLength: number): EngineFraming {
  const text = isText(framing);
  switch (framing.kind) {
    case 'nest-tcp':
      return { kind: FramingKind['nest-tcp'], maxFrameLength };
    case 'delimited':
      return {
        ...{ kind: FramingKind.delimited, text },
        maxFrameLength: Math.min(framing.maxLength ?? maxFrameLength, maxFrameLength),
        delimiter: Buffer.from(framing.delimiter as string),
        stripCarriageReturn: framing.stripCarriageReturn,
      };
    case 'length-field': {
      const { length, endian, offset, adjustment, includesHeader, strip, maxLength } = framing;
      return {
        ...{ kind: FramingKind['length-field'], text },
        maxFrameLength: Math.min(maxLength ?? maxFrameLength, maxFrameLength),
        lengthField: {
          size: length === 'varint' ? 0 : length,
          littleEndian: endian === 'little',
          ...{ offset, adjustment, includesHeader, strip: strip === 'header' ? -1 : strip },
        },
      };
    }
    default:
      return { kind: FramingKind.raw, maxFrameLength };
  }
}

function isUtf8(encoding: BufferEncoding | undefined): boolean {
  return encoding === 'utf8' || encoding === 'utf-8';
}
