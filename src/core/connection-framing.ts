import { FrameEnvelope } from '../engine/frame-envelope.js';
import type { EngineFraming } from '../engine/engine-options.js';
import type { GevCodec } from '../protocol/codec.js';
import type { CustomFraming, GevFramer, GevFraming } from '../protocol/framing.js';
import type { GevPacketFormat } from '../protocol/packet-format.js';
import { notationOf } from '../protocol/nest-packets.js';
import { formatOf } from '../protocol/packets.js';
import type { GevConnection } from './connection.js';
import { CustomFrames } from './custom-frames.js';
import type { GevData } from './data.js';
import { engineFraming, isText } from './engine-framing.js';
import { GevHandlerError } from './errors.js';
import { type FrameLimits, longestFrame } from './frame-limits.js';
import { typeName } from './values.js';

/** Makes the bytes of a frame of what is sent. */
export interface FrameEncoder {
  /** Throws what the application throws, and GevHandlerError for what it makes that is no data. */
  encode(data: GevData): GevData;
}

/** How frames are read and written. One for all connections of a listener. */
export interface ConnectionFraming {
  /** For messages. */
  readonly codec: string;
  readonly kind: GevFraming['kind'];
  readonly engine: EngineFraming;
  /** Frames are packets of Nest's, in whatever notation. */
  readonly nestPackets: boolean;
  /** What is sent is the content of a frame of Nest's. */
  readonly isNestTcp: boolean;
  /** What stands around what is sent; undefined: nothing does, or the application puts it there. */
  readonly envelope: FrameEnvelope | undefined;
  /** Of the application; undefined where each connection has its own, or there is none. */
  readonly encoder: FrameEncoder | undefined;
  readonly limits: FrameLimits;
  /** Bytes of a frame's content that may be sent. */
  readonly longest: number;
  /** Frames that come as Buffers are text of this encoding; undefined: they are Buffers, or the engine makes them text. */
  readonly encoding: BufferEncoding | undefined;
  /** What the application reads frames as packets with; undefined: they are none, or Nest's. */
  readonly format: GevPacketFormat<unknown> | undefined;
  /** Frames are views of the reactor's memory. */
  readonly borrowed: boolean;
  /** What the application frames by itself, on that connection; undefined: the engine does. May throw what the application throws. */
  open(connection: GevConnection<object>): CustomFrames | undefined;
}

/** @param limits of the reactor */
export function framingOf(codec: GevCodec, limits: FrameLimits): ConnectionFraming {
  const { framing } = codec;
  const { kind } = framing;
  const engine = engineFraming(framing, limits.maxFrameLength);
  const own = { ...limits, maxFrameLength: engine.maxFrameLength };
  const common = {
    codec: codec.name,
    nestPackets: notationOf(codec) !== undefined,
    ...{ kind, engine, limits: own, longest: longestFrame(own), isNestTcp: kind === 'nest-tcp' },
    format: formatOf(codec),
    borrowed: framing.kind === 'raw' && !framing.copy,
    ...{ envelope: undefined, encoder: undefined, encoding: undefined, open: () => undefined },
  };
  switch (framing.kind) {
    case 'raw':
    case 'nest-tcp':
      return common;
    case 'delimited':
    case 'length-field': {
      const encoding = isText(framing) ? undefined : framing.encoding;
      const encode = framing.kind === 'length-field' ? framing.encode : undefined;
      if (encode !== undefined)
        return { ...common, encoding, encoder: functionEncoder(encode, framing.encoding) };
      return { ...common, encoding, envelope: FrameEnvelope.of(engine) };
    }
    case 'custom': {
      const { open } = framing as unknown as CustomFraming<unknown>;
      const make = (connection: GevConnection<object>): GevFramer<unknown> => open(connection);
      return { ...common, open: (connection) => new CustomFrames(make(connection), limits.maxFrameLength) };
    }
  }
}

function functionEncoder(
  encode: (frame: Buffer) => Uint8Array,
  encoding: BufferEncoding | undefined,
): FrameEncoder {
  return {
    encode(data) {
      const frame: unknown = encode(typeof data === 'string' ? Buffer.from(data, encoding) : bufferOf(data));
      if (frame instanceof Uint8Array) return frame;
      throw new GevHandlerError(`encode() must return the bytes of a frame, not a ${typeName(frame)}`);
    },
  };
}

/** The same bytes, not a copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
