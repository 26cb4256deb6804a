import type { Delivery, InboundListener } from './inbound-listener.js';
import type { LoopPort } from './loop-port.js';

/** Numbers and flags an engine is configured with; all required and checked before. Sizes in bytes, times in ms. */
export interface EngineOptions {
  /** Threads; 0: one loop on the JavaScript thread. */
  readonly loops: number;
  /** Index into `GevLoadBalance`'s order: round-robin, least-connections, source-hash, kernel. */
  readonly loadBalance: number;
  readonly maxConnections: number;
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
  /** Index into FRAMINGS. */
  readonly framing: number;
  readonly maxFrameLength: number;
  /** Of each loop. */
  readonly maxPartialBytes: number;
  readonly maxTotalSendBuffer: number;
  /** Read nothing from a connection before it is resumed. */
  readonly startPaused: boolean;
  /** JSON texts of patterns that are handled; others are numbered as they come, up to a bound. */
  readonly patterns: readonly string[];
}

/** What `listen()` reports; `family` 4, 6 or 1 for a Unix socket. */
export interface EngineAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 1 | 4 | 6;
}

export interface EngineStats {
  readonly accepted: number;
  readonly refused: number;
  /** Connections of each loop. */
  readonly connections: readonly number[];
}

/** Told of each call that brings events; see `ReactorTurns`. */
export interface EventTurns {
  beginEvents(lastTook: number): void;
  endEvents(): boolean;
}

/** What an engine is made with. */
export interface EngineSetup {
  readonly options: EngineOptions;
  /** How messages are handed over. */
  readonly delivery: Delivery;
  /** Bytes of a frame's content that may be sent. */
  readonly longestFrame: number;
  /** Asked anew with each call that brings events. */
  readonly turns: () => EventTurns | undefined;
}

/**
 * Whoever moves the bytes of a reactor: its loops, which listen, dial, read, write and keep time. What comes goes up to an
 * `InboundListener` for each loop, what is to be done comes down through a {@link LoopPort} for each.
 */
export interface Engine {
  readonly kind: 'native' | 'javascript';
  readonly loopCount: number;
  /** Once for each loop, before it starts. */
  attach(loop: number, listener: InboundListener): LoopPort;
  /**
   * Binds and starts. `port` -1: `host` is the path of a Unix socket. Fails with an Error that has `code`, `errno` (negative)
   * and `syscall`.
   */
  listen(host: string, port: number): EngineAddress | Promise<EngineAddress>;
  /** Starts the loops without a listener, instead of `listen()`. */
  start(): void;
  /** Bytes the kernel took of a connection; -1 when it is gone. */
  bytesWritten(loop: number, slot: number, generation: number): number;
  /** Bytes that came on a connection, whole frames or not; -1 when it is gone. */
  bytesReceived(loop: number, slot: number, generation: number): number;
  stats(): EngineStats;
  /** Whether it keeps the process alive; from its start on it does. */
  hold(hold: boolean): void;
  /** Closes every descriptor, and tells nothing any more. Idempotent; may be called in any callback. */
  stop(): void;
}
