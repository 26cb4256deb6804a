import type { GevProxyProtocol } from './proxy.js';
import type { GevCodec } from '../protocol/codec.js';
import type { GevErrorCodec, GevErrors } from './error-codec.js';
import type { GevListenerOptions, ResolvedListener } from './listener-options.js';
import type { GevClientTlsOptions, GevTlsOptions } from './tls/tls-options.js';

/** How accepted connections are spread over the loops. */
export type GevConnectionBalance = 'round-robin' | 'least-connections' | 'source-hash' | 'kernel';

/**
 * What happens to the values of an Observable while its connection's output is above `highWaterMark`.
 *
 * - `buffer`: they are sent all the same, up to `maxSendBuffer`
 * - `drop-newest`: they are dropped until output is below `lowWaterMark`
 * - `drop-oldest`: the newest `overflowLimit` of them are kept and sent then
 * - `latest`: the newest one is kept and sent then
 * - `close`: the connection is closed, reason `backpressure`
 *
 * The end of a stream, and its error, always reach the peer, behind what was kept.
 */
export type GevOverflow = 'buffer' | 'drop-newest' | 'drop-oldest' | 'latest' | 'close';

/**
 * Who moves the bytes.
 *
 * - `native`: loops in C++, on threads of their own or on the JavaScript thread
 * - `javascript`: one loop over `node:net`, where no binary fits: correct, slower, and without what docs/platforms.md lists
 * - `auto`: native where it loads, else JavaScript, with one line in the log
 */
export type GevEngine = 'auto' | 'native' | 'javascript';

/**
 * TCP keep-alive: a peer that has been silent for `delay` is asked for a sign of life, again every `interval`, and after
 * `count` questions without an answer the connection closes, reason `reset`: `delay` + `interval` × `count` after the
 * peer's last sign. Milliseconds, which systems round up to whole seconds.
 *
 * A peer that is being sent to is not asked: {@link GevServerOptions.userTimeout} watches that one.
 */
export interface GevKeepAliveOptions {
  /** Silence before the first question, up to 32767000. Default: 60000. */
  readonly delay?: number;
  /** Between two questions, up to 32767000. Default: a third of `delay`, 1000 at least. */
  readonly interval?: number;
  /** Questions without an answer that end the connection, 1 to 127. Default: 3. */
  readonly count?: number;
}

/** What Nest calls a serializer: its result, or what it promises, is sent as JSON. */
export interface GevSerializer {
  serialize(value: unknown, options?: Record<string, unknown>): unknown;
}

/** What Nest calls a deserializer: makes a packet of what was parsed, at once or as a promise. */
export interface GevDeserializer {
  deserialize(value: unknown, options?: Record<string, unknown>): unknown;
}

/**
 * Where the server writes its log lines. Nest's `Logger` and `LoggerService` fit.
 */
export interface GevLogger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

/**
 * Options of a server. All are optional. Sizes are in bytes, times in milliseconds; a time of 0 means "never" where
 * that makes sense. `undefined` and `null` leave an option out; wrong values and unknown names are refused with a
 * {@link GevOptionsError}.
 *
 * @publicApi
 */
export interface GevServerOptions {
  /**
   * What handlers, timers and `@InjectGevServer()` call this server by, where an application has several.
   * Default: none.
   */
  readonly name?: string;
  /** Name or address to listen on; a name is resolved once, at listen. Default: `'localhost'`. */
  readonly host?: string;
  /** A number, or its digits. 0 lets the system choose; `address()` tells what it chose. Default: 3000. */
  readonly port?: number | string;
  /** Listen on this Unix-domain socket instead of host and port. A stale file is replaced. */
  readonly path?: string;
  /** How many connections may wait to be accepted; the system caps it. Default: 4096. */
  readonly backlog?: number;
  /**
   * Let several processes or worker threads listen on the same port.
   * Default: true in a worker of `node:cluster` (PM2's cluster mode is one), else false.
   */
  readonly reusePort?: boolean;
  /** On `::`, take IPv6 connections only. Default: false. */
  readonly ipv6Only?: boolean;

  /**
   * Who moves the bytes. Default: the environment variable `GEV_ENGINE`, else `'auto'`.
   */
  readonly engine?: GevEngine;
  /**
   * How many threads run the reactor's loops, 1 to 64; 0 runs one loop on the JavaScript thread itself.
   * Default: `'auto'`: 0 where two cores or less are available, else one per core but one, 4 at most.
   */
  readonly loops?: 'auto' | number;
  /**
   * Which loop a new connection goes to. `'kernel'` gives every loop a listener of its own (SO_REUSEPORT); a port that
   * somebody else listens on is an error all the same, unless `reusePort` is set.
   * Default: `'round-robin'`.
   */
  readonly loadBalance?: GevConnectionBalance;
  /** A connection beyond this number is closed at accept and reaches no handler. Default: 0, no limit. */
  readonly maxConnections?: number;
  /** The same for one address, of IPv6 for one /64. Default: 0, no limit. */
  readonly maxConnectionsPerAddress?: number;
  /** Connections accepted a second, beyond which they are closed at once. Default: 0, no limit. */
  readonly acceptRate?: number;
  /** The same for one address, of IPv6 for one /64. Default: 0, no limit. */
  readonly acceptRatePerAddress?: number;
  /**
   * Connections begin with a PROXY header of that version, by which a proxy such as HAProxy says whose they are:
   * `remoteAddress`, limits and log lines are that client's, `conn.proxy` has the rest. Needs `trusted`. Default: they do not.
   */
  readonly proxyProtocol?: GevProxyProtocol;
  /** Addresses and CIDR blocks of these proxies. Whoever else connects is refused. */
  readonly trusted?: readonly string[];
  /** Addresses and CIDR blocks; clients elsewhere are closed at accept. Default: everybody may come in. */
  readonly allow?: readonly string[];
  /** Those of whom may not, although they are in {@link GevServerOptions.allow}. Default: none. */
  readonly deny?: readonly string[];

  /** What the server speaks. Default: {@link nestJson}. */
  readonly codec?: GevCodec;
  /**
   * TLS, under the names that Node and Nest have for it; {@link GevServer.setTls} replaces it. See docs/tls.md.
   * Default: none.
   */
  readonly tlsOptions?: GevTlsOptions;
  /**
   * Several addresses, each with a codec of its own, for one set of controllers; `conn.listener` tells which it was. Excludes
   * `port` and `path`. Default: one, at `host` and `port`, or at `path`.
   *
   * @example
   * ```ts
   * new GevServer({ listeners: [{ port: 3000 }, { name: 'devices', port: 1833, codec: line() }, { path: '/run/app.sock' }] });
   * ```
   */
  readonly listeners?: readonly GevListenerOptions[];
  /**
   * Messages of ONE connection that handlers may work on at a time. More of them wait; when too many do (1024, or
   * `highWaterMark` bytes), reading from the connection pauses.
   * Default: the codec's, no limit for those of Nest's packets and 1 for others, which `packets()` may set.
   */
  readonly concurrency?: number;
  /**
   * Requests of all connections in flight at a time, where codecs carry packets. More of them wait in order, as with
   * `concurrency`; when for two seconds no call has ended, those that wait are answered with the error `ERR_GEV_OVERLOADED`.
   * Default: no limit.
   */
  readonly maxInFlight?: number;
  /**
   * The longest frame taken, in bytes of its content; a longer one ends the connection, reason `protocol`.
   * A reply that is longer is not sent: its caller is answered with an error, and `send()` throws a
   * {@link GevFrameTooLongError}. `maxBufferSize`, Nest's name for it, is accepted too. Default: 64 MiB.
   */
  readonly maxFrameLength?: number;
  /** Nest's name for {@link maxFrameLength}. */
  readonly maxBufferSize?: number;
  /**
   * A frame that has begun and of which nothing more arrives for so long ends the connection, reason `protocol`. So does one
   * that takes longer in all and comes at less than 1 KiB/s. `incompleteMessageTimeout`, Nest's name for it, is accepted too. Default: 30000; 0: never.
   */
  readonly incompleteFrameTimeout?: number;
  /** Nest's name for {@link incompleteFrameTimeout}. */
  readonly incompleteMessageTimeout?: number;
  /**
   * Bytes of incomplete frames that one loop keeps, of all its connections. Above it the connection with the oldest of them
   * closes, reason `protocol`. Not less than `maxFrameLength`. Default: 128 MiB, or `maxFrameLength` where that is more.
   */
  readonly maxPartialBytes?: number;
  /** Nest's: what becomes of a reply before it is sent, where packets are Nest's. Default: nothing. */
  readonly serializer?: GevSerializer;
  /** Nest's: what becomes of a packet before it is looked at, where packets are Nest's. Default: Nest's own. */
  readonly deserializer?: GevDeserializer;
  /** Where codecs carry packets: how errors of handlers travel, see {@link errorCodec}. Default: `'nest'`. */
  readonly errors?: GevErrors;

  /** Send small replies at once (TCP_NODELAY). Default: true. */
  readonly noDelay?: boolean;
  /** TCP keep-alive; a number is its `delay`, `true` its defaults. Default: false. */
  readonly keepAlive?: boolean | number | GevKeepAliveOptions;
  /**
   * How long what was sent may stay unacknowledged before the connection closes, reason `reset` (TCP_USER_TIMEOUT; macOS
   * and FreeBSD round it up to seconds). It cuts off a peer that does not read for so long, too, and overrides the `count`
   * of `keepAlive`, so that it must be at least `delay` + `interval` × `count`.
   * Default: 0, as long as the system tries, which may be a quarter of an hour.
   */
  readonly userTimeout?: number;
  /** The kernel's receive buffer of a connection. Default: the system's. */
  readonly receiveBufferSize?: number;
  /** The kernel's send buffer of a connection. Default: the system's. */
  readonly sendBufferSize?: number;

  /**
   * Output waiting above this stops reading from that peer and makes `send()` return false.
   * Default: 1 MiB, or `maxSendBuffer` where that is less.
   */
  readonly highWaterMark?: number;
  /** Output waiting below this resumes reading and emits `drain$`. Default: a quarter of `highWaterMark`. */
  readonly lowWaterMark?: number;
  /** Output waiting above this closes the connection, reason `backpressure`. Default: 64 MiB. */
  readonly maxSendBuffer?: number;
  /** Nest's name for {@link maxSendBuffer}. */
  readonly maxSendBufferSize?: number;
  /**
   * Output waiting for all peers above this closes the connection with most of it, reason `backpressure`. The loops tell each
   * other in steps of 64 KiB, so it is exact to that times their number.
   * Default: 1 GiB, or a quarter of the memory that the process may use where that is less.
   */
  readonly maxTotalSendBuffer?: number;
  /** What becomes of the values of Observables while output is above `highWaterMark`. Default: `'buffer'`. */
  readonly overflow?: GevOverflow;
  /** How many values of one Observable `overflow: 'drop-oldest'` keeps. Default: 1024. */
  readonly overflowLimit?: number;

  /**
   * Close a connection on which nothing happened for so long, reason `idle`; see {@link idleOn}. While a handler owes it a
   * reply it is not idle. {@link GevConnection.setIdleTimeout} sets it for one connection. Default: 0, never.
   */
  readonly idleTimeout?: number;
  /**
   * What counts as activity: `'any'` bytes, or only those `'received'`, so that a peer which is pushed to and never says
   * a word is idle. Default: `'any'`.
   */
  readonly idleOn?: GevIdleOn;
  /**
   * How long a connection may take from accept until `@OnConnect` handlers have settled; then it closes, reason
   * `handshake`. Default: 10000; 0: without end.
   */
  readonly handshakeTimeout?: number;
  /** How long `close()` may flush before the connection is cut. Default: 5000. */
  readonly closeTimeout?: number;
  /**
   * How long replies may take after the peer's FIN. With `nestJson()` a stream that had begun by then ends at once: so
   * do Nest's clients say that they close. Default: 30000.
   */
  readonly halfCloseTimeout?: number;
  /**
   * How long `server.close()` waits for handlers at work, for peers of RPC to go, and for output to be flushed.
   * Default: 10000.
   */
  readonly drainTimeout?: number;
  /**
   * A connection that has lasted so long, give or take a tenth, is asked to go, with `nestJson()`, as by a server that
   * stops, and closes when it is owed nothing and has sent nothing for 500 ms, or after `drainTimeout`, reason `age`.
   * Default: 0, never.
   */
  readonly maxConnectionAge?: number;
  /**
   * How long an Observable that has brought a value may go on while the server stops, from `server.close()` or its first
   * value on; then it ends, for clients of RPC with an error. Default: 1000.
   */
  readonly streamDrainTimeout?: number;

  /** Default: a Nest `Logger` named `GevServer`. */
  readonly logger?: GevLogger;
}

/** What counts as activity of a connection. */
export type GevIdleOn = 'any' | 'received';

/**
 * Options of a {@link Reactor}: those of a server that concern loops and connections, with the same defaults, and three of
 * its own. One that only dials has no use for those about listening.
 *
 * @publicApi
 */
export interface ReactorOptions extends Omit<
  GevServerOptions,
  | 'name'
  | 'concurrency'
  | 'maxInFlight'
  | 'serializer'
  | 'deserializer'
  | 'errors'
  | 'overflow'
  | 'overflowLimit'
  | 'drainTimeout'
  | 'streamDrainTimeout'
  | 'maxConnectionAge'
  | 'logger'
> {
  /** Read nothing from an accepted connection before {@link Reactor.admit}. Default: false. */
  readonly gateConnections?: boolean;
  /**
   * Read on while output waits above `highWaterMark`. A client must: while it waited for its server to read, the server
   * might wait for it. Default: false.
   */
  readonly alwaysRead?: boolean;
  /**
   * With what it dials it speaks TLS. Default: not.
   */
  readonly dialTls?: GevClientTlsOptions;
  /**
   * With `nestJson()`, JSON texts of the patterns that are handled: what peers invent beside them takes no room from them.
   * Default: none.
   */
  readonly patterns?: readonly string[];
}

/** What of a server's options is not its reactor's business. */
export type HandlerOptionName = Exclude<keyof GevServerOptions, keyof ReactorOptions>;

/** {@link ReactorOptions} with every default filled in. */
export type ResolvedReactorOptions = Omit<ResolvedGevServerOptions, HandlerOptionName> &
  Required<Pick<ReactorOptions, 'gateConnections' | 'alwaysRead' | 'patterns'>> &
  Pick<ReactorOptions, 'dialTls'>;

/** {@link GevServerOptions} with every default filled in. */
export interface ResolvedGevServerOptions {
  readonly name: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  /** The first is that of `host`, `port`, `path` and `codec`. */
  readonly listeners: readonly [ResolvedListener, ...ResolvedListener[]];
  readonly backlog: number;
  readonly reusePort: boolean;
  readonly ipv6Only: boolean;
  readonly engine: GevEngine;
  readonly loops: number;
  readonly loadBalance: GevConnectionBalance;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly acceptRate: number;
  readonly acceptRatePerAddress: number;
  readonly proxyProtocol: GevProxyProtocol | undefined;
  readonly trusted: readonly string[] | undefined;
  /** Undefined: everybody. */
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
  readonly codec: GevCodec;
  readonly concurrency: number;
  readonly maxInFlight: number;
  readonly maxFrameLength: number;
  readonly incompleteFrameTimeout: number;
  readonly maxPartialBytes: number;
  readonly serializer: GevSerializer | undefined;
  readonly deserializer: GevDeserializer | undefined;
  /** Undefined: as Nest has it. */
  readonly errors: GevErrorCodec | undefined;
  readonly noDelay: boolean;
  readonly keepAlive: Required<GevKeepAliveOptions> | false;
  readonly userTimeout: number;
  readonly receiveBufferSize: number | undefined;
  readonly sendBufferSize: number | undefined;
  readonly highWaterMark: number;
  readonly lowWaterMark: number;
  readonly maxSendBuffer: number;
  readonly maxTotalSendBuffer: number;
  readonly overflow: GevOverflow;
  readonly overflowLimit: number;
  readonly idleTimeout: number;
  readonly idleOn: GevIdleOn;
  readonly handshakeTimeout: number;
  readonly closeTimeout: number;
  readonly halfCloseTimeout: number;
  readonly drainTimeout: number;
  readonly streamDrainTimeout: number;
  readonly maxConnectionAge: number;
  readonly logger: GevLogger | undefined;
}
