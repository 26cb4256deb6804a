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

/** An answer that a frame was read as: to a request that was made with `conn.request()`. */
export interface GevAnswer {
  /** The id that the request was made with. Where no such request waits, the answer is dropped, and counted. */
  readonly answers: number;
  /** What `conn.request()` resolves with. */
  readonly data?: unknown;
  /** Anything but undefined: what it rejects with; what is no Error, as the `data` of a {@link GevRemoteError}. */
  readonly error?: unknown;
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
   * The packet of a frame, or the answer that it is; undefined hands the frame to `@OnMessage()`, unless it answers a request
   * in order. What it throws ends the connection, reason `protocol`, when the packets before it are answered.
   */
  read(frame: Frame, connection: Connection): GevPacket | GevAnswer | undefined;
  /** The frame of a reply; undefined: nothing is sent. */
  write(reply: GevReply, packet: GevPacket, connection: Connection): Frame | undefined;
  /**
   * The frame of a request to the peer, of what `conn.request()` was given. Its answer is what `read` returns with that id as
   * `answers`. Without this member, answers are told by their order.
   *
   * @param id within {@link requestIds}, and of no other request of that connection that waits
   */
  request?(data: unknown, id: number, connection: Connection): Frame;
  /** The first and the last id that the protocol has room for. Ids count up and wrap. Default: `[1, 65535]`. */
  readonly requestIds?: readonly [first: number, last: number];
}

/** Frames are packets of Nest's own JSON, which the reactor itself understands. */
export const NEST_JSON_PACKETS = 'nest-json';
