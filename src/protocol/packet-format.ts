/** A packet that a frame was read as. */
export interface GevPacket {
  /** Which `@MessagePattern` or `@EventPattern` it is for. Nothing of it need be trusted. */
  readonly pattern: string;
  readonly data?: unknown;
  /** What its sender tells its replies by; undefined: by their order. */
  readonly id?: unknown;
  /** What `ctx.getMetadata()` is to return. */
  readonly metadata?: unknown;
}

/** What a handler has to say to a packet. */
export interface GevReply {
  /** What it returned, or a value of its Observable. Undefined where there is none, and with an error. */
  readonly data?: unknown;
  /** What it failed with, as Nest's exception filters leave it. */
  readonly error?: unknown;
  /** Nothing more comes. An Observable brings several replies; the last of them may be one without data. */
  readonly last: boolean;
}

/**
 * What frames mean: packets for handlers, and their replies.
 *
 * @typeParam Frame what the framing delivers and sends
 */
export interface GevPacketFormat<Frame, Connection extends object = object> {
  /**
   * The packet of a frame; undefined hands the frame to `@OnMessage()`. What it throws ends the connection, reason `protocol`,
   * when the packets before it are answered.
   */
  read(frame: Frame, connection: Connection): GevPacket | undefined;
  /** The frame of a reply; undefined: nothing is sent. */
  write(reply: GevReply, packet: GevPacket, connection: Connection): Frame | undefined;
}

/** Frames are packets of Nest's own JSON, which the reactor itself understands. */
export const NEST_JSON_PACKETS = 'nest-json';
