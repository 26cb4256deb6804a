import { MAX_INT32, integer, nested } from '../core/option-checks.js';
import type { GevCodec } from '../protocol/codec.js';
import { lengthField } from '../protocol/length-field.js';
import { nestPackets } from '../protocol/nest-packets.js';
import { FrameCheck } from './frame-check.js';
import { createPackr } from './msgpackr.js';

/** Options of {@link msgpack}. */
export interface MsgpackOptions {
  /** Arrays and objects within each other, in what is received. 1 to 1000. Default: 100. */
  readonly maxDepth?: number;
  /** Values in one frame that is received, keys included: each takes up to some 60 bytes of memory. Default: 1000000. */
  readonly maxElements?: number;
}

const MAX_DEPTH = 1000;
/** A longer frame leaves no memory behind. */
const MAX_KEPT = 256 * 1024;
/** What msgpackr packs into to begin with. */
const MEMORY = 8 * 1024;

/**
 * Nest's packets as MessagePack, in frames with a length of 4 bytes in front: all that `nestJson()` does, and binary data stays
 * binary. For {@link GevServer} and {@link GevClient} alike; both sides must have it.
 *
 * @throws GevMissingPackageError without `msgpackr`, which `npm i msgpackr` installs
 * @throws GevOptionsError
 * @example
 * ```ts
 * new GevServer({ port: 3000, codec: msgpack() });
 * new GevClient({ port: 3000, codec: msgpack() });
 * ```
 * @publicApi
 */
export function msgpack(options: MsgpackOptions = {}): GevCodec {
  const members = nested(options, 'msgpack', ['maxDepth', 'maxElements']);
  const check = new FrameCheck({
    maxDepth: integer(members, 'msgpack.maxDepth', 1, MAX_DEPTH) ?? 100,
    maxElements: integer(members, 'msgpack.maxElements', 1, MAX_INT32) ?? 1_000_000,
  });
  const packr = createPackr();
  return nestPackets(lengthField(), {
    name: 'msgpack',
    decode(frame: Buffer) {
      check.check(frame);
      return packr.unpack(frame);
    },
    encode(packet) {
      const frame = packr.pack(packet);
      // It would go on in memory of that size, several times as large, for whatever is packed next.
      if (frame.length > MAX_KEPT) queueMicrotask(() => packr.useBuffer(Buffer.allocUnsafeSlow(MEMORY)));
      return frame;
    },
  });
}
