import { type GevCodec, unknownOptions } from '../codec.js';
import { NEST_JSON_PACKETS } from '../packet-format.js';

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
  return Object.freeze({
    ...{ name: 'nest-json', framing: { kind: 'nest-tcp' } as const, packets: NEST_JSON_PACKETS },
    ...{ concurrency: Infinity, ...unknownOptions(options, []) },
  });
}
