import { type GevCodec, unknownOptions } from './codec.js';
import { NEST_JSON_PACKETS } from './packet-format.js';
import { type GevPacketNotation, JSON_NOTATION } from './packet-notation.js';

/** What {@link nestPackets} is given. */
export interface NestPacketsOptions<Frame = Buffer> extends GevPacketNotation<Frame> {
  /** For messages and logs. */
  readonly name: string;
}

/**
 * All that `nestJson()` does – requests, Observables, events, cancellation, going away – in another notation than JSON, and in
 * frames of your choice. Both sides must have it: give the same codec to {@link GevServer} and {@link GevClient}.
 *
 * @param framing a codec that frames: `lengthField()`, `line()` …
 * @example
 * ```ts
 * const cbor = nestPackets(lengthField(), {
 *   name: 'cbor',
 *   decode: (frame) => cborDecode(frame),
 *   encode: (packet) => cborEncode(packet),
 * });
 * ```
 * @publicApi
 */
export function nestPackets<Frame = Buffer>(framing: GevCodec, options: NestPacketsOptions<Frame>): GevCodec {
  const notation: GevPacketNotation<Frame> = {
    decode: (frame) => options.decode(frame),
    encode: (packet) => contentOf(options.encode(withoutUndefined(packet)), options.name),
  };
  return Object.freeze({
    ...framing,
    ...unknownOptions(options, ['name', 'decode', 'encode']),
    ...{ name: options.name, concurrency: Infinity, packets: notation },
  });
}

/** How a codec writes Nest's packets; undefined where it carries none. */
export function notationOf({ packets }: GevCodec): GevPacketNotation<unknown> | undefined {
  if (packets === NEST_JSON_PACKETS) return JSON_NOTATION;
  return packets !== undefined && 'decode' in packets ? packets : undefined;
}

/** What was encoded, if it can be sent: nothing else would show before its length spoils a counter. */
function contentOf(content: unknown, name: string): Uint8Array | string {
  if (typeof content === 'string' || ArrayBuffer.isView(content)) return content as Uint8Array | string;
  throw new TypeError(`encode() of the codec ${name} must return the bytes of a frame, or text`);
}

/** A packet without the members that are `undefined`, as JSON would have it. */
function withoutUndefined(packet: unknown): unknown {
  for (const key in packet as object) {
    if ((packet as Record<string, unknown>)[key] === undefined) return defined(packet as object);
  }
  return packet;
}

function defined(packet: object): object {
  return Object.fromEntries(Object.entries(packet).filter(([, value]) => value !== undefined));
}
