import { type EngineFraming, FramingKind } from '../engine-options.js';
import type { Framer } from './framer.js';
import { TextFramer } from './text-framer.js';

/** The framer of one connection; undefined: each chunk is a message. */
export function createFramer(framing: EngineFraming): Framer | undefined {
  switch (framing.kind) {
    case FramingKind['nest-tcp']:
      return new TextFramer(framing.maxFrameLength);
    default:
      return undefined;
  }
}
