import { FramingKind, type EngineFraming } from '../../engine-options.js';
import { DelimitedFramer } from './delimited-framer.js';
import type { Framer } from './framer.js';
import { LengthFieldFramer } from './length-field-framer.js';
import { TextFramer } from './text-framer.js';

/** The framer of one connection; undefined: none, what one read brings is a message. */
export function makeFramer(framing: EngineFraming): Framer | undefined {
  const { kind, maxFrameLength, text = false } = framing;
  switch (kind) {
    case FramingKind['nest-tcp']:
      return new TextFramer(maxFrameLength);
    case FramingKind.delimited: {
      const { delimiter, stripCarriageReturn = false } = framing;
      return new DelimitedFramer({ delimiter: delimiter!, stripCarriageReturn, maxFrameLength, text });
    }
    case FramingKind['length-field']:
      return new LengthFieldFramer({ field: framing.lengthField!, maxFrameLength, text });
    default:
      return undefined;
  }
}
