import type { GevCodec } from '../codec.js';

const NEST_JSON: GevCodec = Object.freeze({ name: 'nest-json', framing: 'nest-json', concurrency: Infinity });

/** Options of {@link nestJson}: there are none. */
export type NestJsonOptions = Readonly<Record<string, never>>;

/**
 * The wire format of Nest's own TCP transport, `<length>#<json>` with the length in UTF-16 code units: the server runs
 * `@MessagePattern` and `@EventPattern` handlers and serves unmodified `ClientTCP`s. The default codec.
 *
 * @example
 * ```ts
 * new GevServer({ port: 3000, codec: nestJson() });
 * ```
 * @publicApi
 */
export function nestJson(options: NestJsonOptions = {}): GevCodec {
  // Nothing is checked here: errors are the server's to throw, with the others of its options.
  return Object.keys(options).length === 0
    ? NEST_JSON
    : Object.freeze({ ...NEST_JSON, options: { ...options } });
}
