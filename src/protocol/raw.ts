import { type GevCodec, unknownOptions } from './codec.js';

/** Options of {@link raw}. */
export interface RawOptions {
  /**
   * Whether a handler gets a copy of what was received, to keep for as long as it likes. With false it gets a view of
   * the reactor's own memory, valid until the turn ends: up to the first `await` of something that is not settled yet.
   * That spares a copy into fresh memory and is worth it for chunks of many kilobytes that are passed on, parsed or
   * hashed at once. Whoever keeps such a Buffer longer sees it change; its `buffer` must never be transferred.
   *
   * Default: true.
   */
  readonly copy?: boolean;
}

/**
 * The byte stream as it comes: each message is the chunk one read brought, and carries no boundary that the peer made.
 *
 * @example
 * ```ts
 * new GevServer({ port: 1833, codec: raw() });
 * new GevServer({ port: 1833, codec: raw({ copy: false }) }); // for what is passed on or hashed at once
 * ```
 * @publicApi
 */
export function raw(options: RawOptions = {}): GevCodec {
  const { copy = true } = options;
  const framing = { kind: 'raw', copy } as const;
  return Object.freeze({ name: 'raw', framing, concurrency: 1, ...unknownOptions(options, ['copy']) });
}
