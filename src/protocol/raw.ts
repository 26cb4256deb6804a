import type { GevCodec } from './codec.js';

const RAW: GevCodec = Object.freeze({ name: 'raw', framing: 'raw', concurrency: 1 });

/**
 * The byte stream as it comes: each message is the chunk one read brought, and carries no boundary that the peer made.
 *
 * @example
 * ```ts
 * new GevServer({ port: 1833, codec: raw() });
 * ```
 * @publicApi
 */
export function raw(): GevCodec {
  return RAW;
}
