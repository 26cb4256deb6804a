/**
 * How the native side cuts a connection's bytes into messages, in the order the addon numbers them.
 *
 * - `raw`: not at all, a message is what one read brought
 * - `nest-json`: Nest's own TCP format, `<length>#<json>`
 */
export const FRAMINGS = ['raw', 'nest-json'] as const;

/** One of {@link FRAMINGS}. */
export type GevFraming = (typeof FRAMINGS)[number];

/**
 * What a server speaks: how bytes become messages.
 *
 * A codec is a plain value without state, made by a function such as {@link raw}, and may serve many servers.
 *
 * @publicApi
 */
export interface GevCodec {
  /** For messages and `stats()`. */
  readonly name: string;
  /** What the native framer is set to. */
  readonly framing: GevFraming;
  /**
   * How many messages of one connection may be in the hands of handlers at a time, unless the server's `concurrency`
   * says otherwise. 1 keeps replies in the order of the messages; `Infinity`: no limit.
   */
  readonly concurrency: number;
  /** With `raw` only. False: messages are views of the reactor's memory, valid until the turn ends. Default: true. */
  readonly copy?: boolean;
  /** What the codec was made with, for the server to check. */
  readonly options?: object;
}
