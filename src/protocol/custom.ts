import { type GevCodec, unknownOptions } from './codec.js';
import type { CustomFraming, GevFramer } from './framing.js';

/** Options of {@link custom}. */
export interface CustomOptions<Frame> {
  /**
   * Called when a connection opens, before any handler: makes the framing of that connection, with what it has to remember.
   * What it throws ends the connection, reason `protocol`.
   *
   * @param connection the {@link GevConnection}
   */
  open(connection: object): GevFramer<Frame>;
}

/**
 * A framing of your own, in TypeScript, with state for each connection. A frame may be anything: handlers get what `decode`
 * yields, and what they return goes through `encode`.
 *
 * @example
 * ```ts
 * const pairs = custom<Buffer>({
 *   open() {
 *     const reader = new ByteReader();
 *     return {
 *       *decode(chunk) {
 *         reader.push(chunk);
 *         while (reader.has(2)) yield reader.bytes(2);
 *         reader.compact();
 *       },
 *       encode: (frame) => frame,
 *       get incomplete() {
 *         return reader.remaining > 0;
 *       },
 *     };
 *   },
 * });
 * ```
 * @publicApi
 */
export function custom<Frame>(options: CustomOptions<Frame>): GevCodec {
  const framing = {
    kind: 'custom',
    open: (connection) => options.open(connection),
  } satisfies CustomFraming<Frame>;
  const unknown = unknownOptions(options, ['open']);
  return Object.freeze({
    name: 'custom',
    framing: framing as CustomFraming<never>,
    concurrency: 1,
    ...unknown,
  });
}
