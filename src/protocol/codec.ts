import type { GevFraming } from './framing.js';
import type { GevPacketFormat, NEST_JSON_PACKETS } from './packet-format.js';
import type { GevPacketNotation } from './packet-notation.js';

/**
 * What a server speaks: how bytes become messages, and what these mean.
 *
 * A codec is a plain value without state, made by a function such as {@link raw}, and may serve many servers.
 *
 * @publicApi
 */
export interface GevCodec {
  /** For messages and `stats()`. */
  readonly name: string;
  /** Bytes to frames and back. */
  readonly framing: GevFraming;
  /**
   * Frames to packets for `@MessagePattern()` and `@EventPattern()`, and replies back: Nest's own as JSON or in another notation,
   * or those of another protocol. Undefined: frames are for `@OnMessage()`.
   */
  readonly packets?: typeof NEST_JSON_PACKETS | GevPacketNotation<never> | GevPacketFormat<never, never>;
  /**
   * How many messages of one connection may be in the hands of handlers at a time, unless the server's `concurrency`
   * says otherwise. 1 keeps replies in the order of the messages; `Infinity`: no limit.
   */
  readonly concurrency: number;
  /** Options that the codec does not know, for the server to refuse: errors are the server's to throw, with those of its options. */
  readonly unknown?: { readonly given: object; readonly known: readonly string[] };
}

/** Where there are names among the given options that are none of the known ones. */
export function unknownOptions(given: object, known: readonly string[]): Pick<GevCodec, 'unknown'> {
  return Object.keys(given).every((name) => known.includes(name)) ? {} : { unknown: { given, known } };
}
