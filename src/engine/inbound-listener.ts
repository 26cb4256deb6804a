import type { OpeningTls } from './engine-tls.js';
import type { GevRefusal } from './refusals.js';

/** What a proxy has said in front of a connection. */
export interface OpeningProxy {
  readonly version: 1 | 2;
  /** What its client had connected to; undefined: it named none. */
  readonly destination: { readonly address: string; readonly port: number } | undefined;
  /** Of version 2, in their order. */
  readonly tlvs: readonly { readonly type: number; readonly value: Buffer }[];
}

/** A connection that is there now: accepted, or dialled. */
export interface Opening {
  /** Where it has its place among the connections of its loop, until it closes. */
  readonly slot: number;
  /** Which of the connections that had this slot. */
  readonly generation: number;
  /** Numeric; empty for Unix sockets. */
  readonly remoteHost: string;
  readonly remotePort: number;
  /** Numeric, or the path of a Unix socket; empty where there is none. */
  readonly localHost: string;
  readonly localPort: number;
  /** 4, 6, or 1: a Unix socket. */
  readonly family: number;
  /** The token of its dial; 0: it was accepted. */
  readonly dial: number;
  /** Which listener accepted it, counted from 0; 0 for what was dialled. */
  readonly listener: number;
  /** Undefined: it is not secured. */
  readonly tls: OpeningTls | undefined;
  /** Undefined: no proxy made it. */
  readonly proxy?: OpeningProxy | undefined;
}

/** Sockets that never became open connections: of those, the last. */
export interface RefusalNews {
  readonly cause: GevRefusal;
  /** How many there were of that cause since the last news of it, this one included. */
  readonly count: number;
  /** Numeric; empty for Unix sockets. */
  readonly remoteHost: string;
  /** What was wrong; empty where the cause says it all. */
  readonly detail: string;
}

/**
 * What one loop's event stream says, in order. `Buffer`s are copies: the receiver may keep them. Each call is made in a
 * {@link FreshScope}: what a handler enters there stays there.
 */
export interface InboundListener {
  /** Whoever listened has stopped, in one of the calls below perhaps: nothing but messages, which it ignores, comes any more. */
  readonly abandoned: boolean;
  onOpen(opening: Opening): void;
  readonly onMessage: (slot: number, generation: number, data: Buffer) => void;
  /**
   * Instead of onMessage where frames are text. `length`: its bytes on the wire. A packet written as Nest's clients do
   * has a pattern with a `route` (else 0), data from `dataStart` on, and an id of `idLength` at its end.
   */
  readonly onText: (
    slot: number,
    generation: number,
    text: string,
    length: number,
    route: number,
    dataStart: number,
    idLength: number,
  ) => void;
  /** `refused`: as that of {@link onClose}. */
  onEnd(slot: number, generation: number, refused: number): void;
  onDrain(slot: number, generation: number): void;
  onFlushed(slot: number, generation: number, bytesWritten: number): void;
  /** Its idle timeout has passed. */
  onIdle(slot: number, generation: number): void;
  /**
   * `refused`: of the frame that its input was refused for, the bytes, at least, where it is too long, or {@link NO_BEGINNING} and
   * the byte that no frame begins with; else 0.
   */
  onClose(slot: number, generation: number, reason: number, errno: number, refused: number): void;
  onDialFailed(token: number, errno: number): void;
  onTimer(id: number, skipped: number): void;
  onQuiesced(): void;
  onFailure(failure: number, errno: number): void;
  /** At most once a second for each cause. */
  onRefused(news: RefusalNews): void;
  /** One of the above threw. The events behind it are still delivered. */
  onUncaught(error: unknown): void;
}

/**
 * How messages reach the listener. On the native engine, what is framed unlike the reactor's `framing` comes as text or
 * copied, as that has it.
 *
 * - `copied`: as Buffers of its own
 * - `borrowed`: as views of the engine's memory, valid until the call and the promise jobs behind it are done
 * - `text`: as strings
 */
export type Delivery = 'copied' | 'borrowed' | 'text';

/** The upper bytes of a number that tells, in its lowest one, of a byte that no frame begins with. */
export const NO_BEGINNING = 0xffff_ff00;

/** Why a connection ended: the numbers of native/reactor/close_reason.h. */
export const CloseCode = {
  peer: 0,
  reset: 1,
  idle: 2,
  backpressure: 3,
  protocol: 4,
  limit: 5,
  local: 6,
  shutdown: 7,
  error: 8,
  handshake: 9,
  age: 10,
} as const;
