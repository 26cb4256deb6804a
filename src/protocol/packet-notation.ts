/**
 * How packets of Nest's are written where it is not as JSON: see {@link nestPackets}.
 *
 * A packet is what `nestJson()` has as JSON: `{ pattern, data, id }`, `{ response, isDisposed, id }`, `{ err, isDisposed, id }`…
 * Members that are `undefined` are left out; what is inside of `data`, `response` and `err` is the application's.
 *
 * @typeParam Frame what the framing delivers
 */
export interface GevPacketNotation<Frame = Buffer> {
  /**
   * The value that a frame holds, whatever it is; nothing of it need be trusted. What it throws ends the connection, reason
   * `protocol`, and what was sent before is still answered.
   */
  decode(frame: Frame): unknown;
  /**
   * The content of a frame, whose memory must not change afterwards. Where it throws, a request fails with that, and a reply
   * is replaced by an error that says so.
   */
  encode(packet: unknown): Uint8Array | string;
}

/** As Nest's own transport has it. */
export const JSON_NOTATION: GevPacketNotation<string> = {
  decode: (text) => JSON.parse(text) as unknown,
  encode: (packet) => JSON.stringify(packet),
};
