import type { GevEndian } from './byte-reader.js';

/** The byte stream as it comes: see `raw()`. */
export interface RawFraming {
  readonly kind: 'raw';
  /** False: messages are views of the reactor's memory, valid until the turn ends. */
  readonly copy: boolean;
}

/** `<length>#<text>`: see `nestJson()`. */
export interface NestTcpFraming {
  readonly kind: 'nest-tcp';
}

/** Frames that end with a delimiter: see `line()` and `delimited()`. */
export interface DelimitedFraming {
  readonly kind: 'delimited';
  /** 1 to 16 bytes; text stands for its UTF-8. */
  readonly delimiter: string | Uint8Array;
  /** A carriage return in front of the delimiter is no part of the frame. */
  readonly stripCarriageReturn: boolean;
  /** Bytes of a frame; undefined: the server's `maxFrameLength`. */
  readonly maxLength: number | undefined;
  /** Frames are text of that encoding; undefined: Buffers. */
  readonly encoding: BufferEncoding | undefined;
}

/** Frames that say how long they are: see `lengthField()`. */
export interface LengthFieldFraming {
  readonly kind: 'length-field';
  readonly length: 1 | 2 | 3 | 4 | 8 | 'varint';
  readonly endian: GevEndian;
  readonly offset: number;
  readonly adjustment: number;
  readonly includesHeader: boolean;
  /** Bytes in front that are not delivered; `'header'`: all up to the end of the length field. */
  readonly strip: number | 'header';
  readonly maxLength: number | undefined;
  readonly encoding: BufferEncoding | undefined;
  /** Makes the whole frame of what is sent; undefined: the length is written by itself. */
  readonly encode: ((frame: Buffer) => Uint8Array) | undefined;
}

/** The framing of one connection, with what it remembers. Made when the connection opens. */
export interface GevFramer<Frame> {
  /**
   * The frames that a chunk completes, in order; nothing yielded means that more is needed. The chunk is the framer's to
   * keep. What it throws ends the connection, reason `protocol`, when the frames before it are answered.
   */
  decode(chunk: Buffer): Iterable<Frame>;
  /** The bytes of a frame that is sent. What it throws is thrown by `send()`; a handler's reply is logged and not sent. */
  encode(frame: Frame): Uint8Array | string;
  /**
   * Whether a frame has begun and is not complete. Such a frame counts towards `incompleteFrameTimeout`; without this member
   * none does.
   */
  readonly incomplete?: boolean;
}

/** A user's own framing: see `custom()`. */
export interface CustomFraming<Frame = never> {
  readonly kind: 'custom';
  /** @param connection the {@link GevConnection} */
  readonly open: (connection: object) => GevFramer<Frame>;
}

/** How a connection's bytes are cut into frames, and frames made bytes. A plain value without state. */
export type GevFraming =
  RawFraming | NestTcpFraming | DelimitedFraming | LengthFieldFraming | CustomFraming<never>;
