import type { AccessRules } from './address-ranges.js';
import type { EngineTls } from './engine-tls.js';
import type { EngineFraming, EngineOptions, EngineProxy } from './engine-options.js';
import type { Delivery, InboundListener } from './inbound-listener.js';
import type { LoopPort } from './loop-port.js';

/** What `listen()` reports; `family` 4, 6 or 1 for a Unix socket. */
export interface EngineAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 1 | 4 | 6;
}

export interface EngineStats {
  readonly accepted: number;
  /** Sockets that never became open connections, by cause: in the order of `REFUSALS`. */
  readonly refusals: readonly number[];
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
   * Binds and listens, before `start()`; once for each listener, whose number connections tell. `port` -1: `host` is the path of
   * a Unix socket. `tls`: what is accepted there speaks it. Fails with an Error that has `code`, `errno` (negative) and
   * `syscall`, and the engine is stopped then.
   */
  listen(
    host: string,
    port: number,
    framing: EngineFraming,
    tls?: EngineTls,
  ): EngineAddress | Promise<EngineAddress>;
  /** For connections that the listener of that number accepts from now on; it has spoken TLS before. Throws what OpenSSL says. */
  setTls(listener: number, tls: EngineTls): void;
  /** Before `listen()`: connections to that listener begin with a PROXY header. Absent where the engine reads none. */
  expectProxy?(proxy: EngineProxy): void;
  /** Those that come in from now on are asked by these. */
  setAccess(rules: AccessRules): void;
  /** Starts the loops. */
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
