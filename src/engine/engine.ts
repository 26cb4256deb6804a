import type { EngineFraming } from './framing.js';
import type { NativeAddress, NativeReactorOptions, NativeStats } from './native/binding.js';
import type { Delivery, InboundListener } from './inbound-listener.js';
import type { FrameEnvelope } from './frame-envelope.js';
import type { FramePiece } from './native/outbound.js';

/** What one loop can be told. Nothing of it happens before the promise jobs of the current turn are done; all in order. */
export interface LoopPort {
  /** Copies `data` for a connection. `flags`: bits of SendFlag. */
  send(slot: number, generation: number, data: Uint8Array, flags: number): void;
  /** As send(), of a string whose UTF-8 length is known. */
  sendText(slot: number, generation: number, text: string, length: number, flags: number): void;
  /**
   * Sends `<length>#<text>`, the text in pieces; the length is in UTF-16 code units.
   *
   * @returns the bytes of it all; those of the text alone, negative, when it is too long, and then nothing was sent
   */
  sendFrame(slot: number, generation: number, pieces: readonly FramePiece[], flags: number): number;
  /**
   * Sends the frame that `envelope` makes of `data`.
   *
   * @returns the bytes of it all; those of the data alone, negative, when it is too long, and 0 when it is too short, and
   * then nothing was sent
   */
  sendEnclosed(
    slot: number,
    generation: number,
    envelope: FrameEnvelope,
    data: Uint8Array | string,
    flags: number,
  ): number;
  /** The same payload (MAX_SHARED_PAYLOAD at most) for several connections: slot and generation of each in turn. */
  multicast(data: Uint8Array, receivers: readonly number[]): void;
  /** One of `Operation` that has no payload. */
  command(operation: number, slot?: number, generation?: number, argument?: number): void;
  /** `ms` 0: never. */
  setIdleTimeout(slot: number, generation: number, ms: number): void;
  /** `ms` without a byte received, after which the loop asks whether it may close; `reason`: a number of one. */
  leave(slot: number, generation: number, ms: number, reason: number): void;
  /** In ms; `interval` 0: once. */
  startTimer(id: number, delay: number, interval: number): void;
  /** Connects to a numeric address, or with port -1 to the Unix socket at that path. `timeout` in ms; 0: none. */
  dial(token: number, timeout: number, port: number, address: string): void;
}

/** Told of each call that brings events; see `ReactorTurns`. */
export interface EventTurns {
  beginEvents(lastTook: number): void;
  endEvents(): boolean;
}

/** What an engine is made with. */
export interface EngineSetup {
  readonly options: NativeReactorOptions;
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
   * a Unix socket. Fails with an Error that has `code`, `errno` (negative) and `syscall`, and the engine is stopped then.
   */
  listen(host: string, port: number, framing: EngineFraming): NativeAddress | Promise<NativeAddress>;
  /** Starts the loops. */
  start(): void;
  /** Bytes the kernel took of a connection; -1 when it is gone. */
  bytesWritten(loop: number, slot: number, generation: number): number;
  /** Bytes that came on a connection, whole frames or not; -1 when it is gone. */
  bytesReceived(loop: number, slot: number, generation: number): number;
  stats(): NativeStats;
  /** Whether it keeps the process alive; from its start on it does. */
  hold(hold: boolean): void;
  /** Closes every descriptor, and tells nothing any more. Idempotent; may be called in any callback. */
  stop(): void;
}
