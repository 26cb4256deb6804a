/** Kinds of framing: the numbers of native/protocol/framer_factory.h. */
export const FramingKind = { raw: 0, 'nest-tcp': 1, delimited: 2, 'length-field': 3 } as const;

/** How connections are cut into frames; all checked before. Sizes in bytes. */
export interface EngineFraming {
  /** One of {@link FramingKind}. */
  readonly kind: number;
  /** Of a frame's content: what is delivered. */
  readonly maxFrameLength: number;
  /** Whether frames are UTF-8 and reach `onText`; of the last two kinds. `nest-tcp` always is text, `raw` never. */
  readonly text?: boolean;
  /** Of `delimited`: 1 to 16 bytes behind each frame, not delivered. */
  readonly delimiter?: Uint8Array;
  /** Of `delimited`: nor is a CR in front of them. */
  readonly stripCarriageReturn?: boolean;
  /** Of `length-field`. */
  readonly lengthField?: EngineLengthField;
}

/** Where the length of a frame stands in it: native/protocol/length_field_framer.h. */
export interface EngineLengthField {
  /** Bytes: 1, 2, 3, 4 or 8, unsigned; 0: a varint. */
  readonly size: 0 | 1 | 2 | 3 | 4 | 8;
  readonly littleEndian: boolean;
  /** Bytes in front of it, up to 65535. */
  readonly offset: number;
  /** Added to what the field says; less than 2 GiB either way. */
  readonly adjustment: number;
  /** The field counts what is in front of its own end as well. */
  readonly includesHeader: boolean;
  /** Bytes at the front that are not delivered, up to 65535; -1: all up to the end of the field. */
  readonly strip: number;
}
