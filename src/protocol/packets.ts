import { type GevCodec, unknownOptions } from './codec.js';
import type { GevPacketFormat } from './packet-format.js';

/** What {@link packets} is given. */
export interface PacketsOptions<Frame, Connection extends object> extends GevPacketFormat<Frame, Connection> {
  /** For messages and logs. Default: `packets(<name of the framing>)`. */
  readonly name?: string;
  /**
   * Requests of one connection in flight at a time. 1 has them answered one after another, in their order, as protocols need
   * whose packets carry no id; where they do, `Infinity`. Default: 1.
   */
  readonly concurrency?: number;
}

/**
 * Brings a protocol of others to `@MessagePattern()` and `@EventPattern()` handlers, with their guards, pipes, interceptors and
 * filters: frames of that framing are read as packets, and what handlers return is written as frames.
 *
 * A packet whose pattern has a `@MessagePattern()` handler is a request, with an id or without; one that has an
 * `@EventPattern()` handler is an event.
 *
 * @param framing a codec whose frames these are: `line()`, `lengthField()`, `custom()` …
 * @example
 * ```ts
 * const commands = packets(line(), {
 *   read(text: string) {
 *     const [pattern = '', ...words] = text.split(' ');
 *     return { pattern: pattern.toLowerCase(), data: words };
 *   },
 *   write: ({ data, error }) => (error === undefined ? `OK ${data}` : `ERR ${(error as Error).message}`),
 * });
 * ```
 * @publicApi
 */
export function packets<Frame = Buffer, Connection extends object = object>(
  framing: GevCodec,
  options: PacketsOptions<Frame, Connection>,
): GevCodec {
  const { name = `packets(${framing.name})`, concurrency = 1 } = options;
  const format: GevPacketFormat<Frame, Connection> = options;
  return Object.freeze({
    ...framing,
    ...unknownOptions(options, ['name', 'concurrency', 'read', 'write', 'request', 'requestIds']),
    ...{ name, concurrency, packets: format as GevPacketFormat<never, never> },
  });
}

/** What packets of another protocol are read and written with; undefined where frames are Nest's packets, or none. */
export function formatOf({ packets }: GevCodec): GevPacketFormat<unknown> | undefined {
  return typeof packets === 'object' && 'read' in packets ? packets : undefined;
}
