import type { GevErrorCodec, GevErrors } from '../core/error-codec.js';
import type {
  GevDeserializer,
  GevEngine,
  GevKeepAliveOptions,
  GevLogger,
  GevSerializer,
} from '../core/options.js';
import type { GevClientTlsOptions } from '../core/tls/tls-options.js';
import type { GevCodec } from '../protocol/codec.js';

/** Where a server listens. */
export type GevEndpoint = GevNetworkEndpoint | GevPathEndpoint;

/** A server on the network. */
export interface GevNetworkEndpoint {
  /** Name or address. A name is resolved at each attempt, and its addresses are tried in turn. Default: `'localhost'`. */
  readonly host?: string;
  /** A number, or its digits. Default: 3000. */
  readonly port?: number | string;
}

/** A server on a Unix-domain socket. */
export interface GevPathEndpoint {
  readonly path: string;
}

/** How requests are spread over the connections of a client. */
export type GevRequestBalance = 'round-robin' | 'least-in-flight';

/** How attempts to connect follow each other: a delay is cut by a random part of its `jitter` share. */
export interface GevReconnectOptions {
  /** Before the first attempt in the background. Default: 100 ms. */
  readonly initialDelay?: number;
  /** What the delay grows to at most. Default: 5000 ms. */
  readonly maxDelay?: number;
  /** By what the delay grows from one attempt to the next. Default: 2. */
  readonly factor?: number;
  /** Share of the delay that is left to chance, 0 to 1, so that clients do not come back all at once. Default: 0.5. */
  readonly jitter?: number;
}

/**
 * When an endpoint is left out for a while although it is connected: at once when a connection to it answers nothing any
 * more, and when connections are lost, or not made beside others, time after time. Never for the deadlines of requests,
 * and never more than half of the endpoints.
 */
export interface GevEjectionOptions {
  /** Connections lost or not made in a row, without any reply between them. Default: 5. */
  readonly failures?: number;
  /**
   * For how long, in milliseconds; twice as long each further time, up to 16 times, until it has done well for as long.
   * Default: 5000.
   */
  readonly duration?: number;
}

/**
 * Options of a client. All are optional. Sizes are in bytes, times in milliseconds; a time of 0 means "never" where that
 * makes sense. Wrong values and unknown names are refused with a {@link GevOptionsError}.
 *
 * @publicApi
 */
export interface GevClientOptions {
  /** Name or address of the server; a name is resolved at each attempt. Default: `'localhost'`. */
  readonly host?: string;
  /** A number, or its digits. Default: 3000. */
  readonly port?: number | string;
  /** The server's Unix-domain socket, instead of host and port. */
  readonly path?: string;
  /** Several servers, instead of `host`, `port` and `path`. */
  readonly endpoints?: readonly GevEndpoint[];
  /** Which connection the next request goes to. Default: `'round-robin'`. */
  readonly balance?: GevRequestBalance;
  /** Connections to each endpoint, 1 to 1024. Requests share them. Default: 1. */
  readonly connections?: number;
  /** Who moves the bytes. Default: the environment variable `GEV_ENGINE`, else `'auto'`. */
  readonly engine?: GevEngine;
  /**
   * How many threads run the reactor's loops, 1 to 64; 0 runs one loop on the JavaScript thread itself.
   * Default: `'auto'`: as on the server, but no more than there are connections.
   */
  readonly loops?: 'auto' | number;

  /** TLS, under the names that Node and Nest have for it. See docs/tls.md. Default: none. */
  readonly tlsOptions?: GevClientTlsOptions;
  /** How long one attempt may take, all addresses of a name together. Default: 5000. */
  readonly connectTimeout?: number;
  /** How long to wait for the first reply; a stream that has begun is not timed. 0: without end. Default: 30000. */
  readonly requestTimeout?: number;
  /** Attempts in the background after a connection was lost; false: only when a request needs one. */
  readonly reconnect?: GevReconnectOptions | false;
  /**
   * How many requests and events may wait while there is no connection and none is being tried. Default: 0: they fail
   * at once.
   */
  readonly offlineQueue?: number;
  /** When an endpoint is left out although it is connected; false: never. */
  readonly ejection?: GevEjectionOptions | false;

  /**
   * What the server speaks: {@link nestJson}, or another codec that carries Nest's packets, such as `msgpack()` or one made by
   * {@link nestPackets}. Default: `nestJson()`.
   */
  readonly codec?: GevCodec;

  /** Nest's: makes of a packet what is then written as JSON, or as the codec has it. */
  readonly serializer?: GevSerializer;
  /** Nest's: makes a reply of the value that was received. */
  readonly deserializer?: GevDeserializer;
  /** What subscribers get of a handler's error, see {@link errorCodec}. Default: `'nest'`, what came under `err`. */
  readonly errors?: GevErrors;

  /**
   * A longer reply, in bytes, ends the connection, reason `protocol`; a longer request fails by itself with a
   * {@link GevFrameTooLongError}. Default: 64 MiB.
   */
  readonly maxFrameLength?: number;
  /** Nest's name for `maxFrameLength`. */
  readonly maxBufferSize?: number;
  /** A reply that stays incomplete for so long ends the connection, reason `protocol`. Default: 30000. */
  readonly incompleteFrameTimeout?: number;
  /** Nest's name for `incompleteFrameTimeout`. */
  readonly incompleteMessageTimeout?: number;
  /** Requests that wait to be sent above this end the connection, reason `backpressure`. Default: 64 MiB. */
  readonly maxSendBuffer?: number;
  /** Nest's name for `maxSendBuffer`. */
  readonly maxSendBufferSize?: number;
  /**
   * A connection with more than this waiting to be sent is passed over while there is another.
   * Default: 1 MiB, or `maxSendBuffer` where that is less.
   */
  readonly highWaterMark?: number;
  /** Send small requests at once (TCP_NODELAY). Default: true. */
  readonly noDelay?: boolean;
  /** TCP keep-alive; a number is its `delay`, `true` its defaults. Default: false. */
  readonly keepAlive?: boolean | number | GevKeepAliveOptions;
  /** As {@link GevServerOptions.userTimeout}. Default: 0, as long as the system tries. */
  readonly userTimeout?: number;

  /** Default: a Nest `Logger` named `GevClient`. */
  readonly logger?: GevLogger;
}

/** {@link GevEndpoint} with its defaults filled in: what events tell of. */
export type GevResolvedEndpoint = { readonly host: string; readonly port: number } | GevPathEndpoint;

/** {@link GevClientOptions} with every default filled in. */
export interface ResolvedGevClientOptions {
  readonly endpoints: readonly GevResolvedEndpoint[];
  readonly balance: GevRequestBalance;
  readonly connections: number;
  readonly engine: GevEngine;
  readonly loops: number;
  readonly tlsOptions: GevClientTlsOptions | undefined;
  readonly connectTimeout: number;
  readonly requestTimeout: number;
  readonly reconnect: Required<GevReconnectOptions> | false;
  readonly offlineQueue: number;
  readonly ejection: Required<GevEjectionOptions> | false;
  readonly codec: GevCodec;
  readonly serializer: GevSerializer | undefined;
  readonly deserializer: GevDeserializer | undefined;
  /** Undefined: as Nest has it. */
  readonly errors: GevErrorCodec | undefined;
  readonly maxFrameLength: number;
  readonly incompleteFrameTimeout: number;
  readonly maxSendBuffer: number;
  readonly highWaterMark: number;
  readonly noDelay: boolean;
  readonly keepAlive: Required<GevKeepAliveOptions> | false;
  readonly userTimeout: number;
  readonly logger: GevLogger | undefined;
}
