import type { EngineTls } from './engine-tls.js';
import type { AccessRules, AddressRanges } from './address-ranges.js';

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

/** What stands in front of each connection to a listener. */
export interface EngineProxy {
  /** Bits: 1 for version 1, 2 for version 2. */
  readonly versions: number;
  /** Whose word is taken. */
  readonly trusted: AddressRanges;
}

/** Numbers and flags an engine is configured with; all required and checked before. Sizes in bytes, times in ms. */
export interface EngineOptions {
  /** Threads; 0: one loop on the JavaScript thread. */
  readonly loops: number;
  /** Index into `GevConnectionBalance`'s order: round-robin, least-connections, source-hash, kernel. */
  readonly loadBalance: number;
  readonly maxConnections: number;
  /** 0: no limit, as with the rates, a second. */
  readonly maxConnectionsPerAddress: number;
  readonly acceptRate: number;
  readonly acceptRatePerAddress: number;
  readonly access: AccessRules;
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
  readonly noDelay: boolean;
  /** Seconds, as the interval; 0: off. */
  readonly keepAliveDelay: number;
  readonly keepAliveInterval: number;
  readonly keepAliveCount: number;
  /** Milliseconds; 0: the kernel's own. */
  readonly userTimeout: number;
  /** 0: the kernel's own, as for the send buffer. */
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
  readonly highWaterMark: number;
  readonly lowWaterMark: number;
  readonly maxSendBuffer: number;
  readonly idleTimeout: number;
  /** What is sent is no activity. */
  readonly idleOnReceived: boolean;
  /** 0: never. */
  readonly handshakeTimeout: number;
  readonly closeTimeout: number;
  readonly halfCloseTimeout: number;
  /** 0: never. */
  readonly incompleteFrameTimeout: number;
  /** Of connections that are dialled, and of listeners that have none of their own. */
  readonly framing: EngineFraming;
  /** Of each loop. */
  readonly maxPartialBytes: number;
  readonly maxTotalSendBuffer: number;
  /** Read nothing from a connection before it is resumed. */
  readonly startPaused: boolean;
  /** Of connections that are dialled; undefined: they speak no TLS. */
  readonly dialTls: EngineTls | undefined;
  /** JSON texts of patterns that are handled; others are numbered as they come, up to a bound. */
  readonly patterns: readonly string[];
}
