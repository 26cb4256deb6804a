import type { GevProxyInfo } from './proxy.js';
import type { GevListener } from './address.js';
import type { Observable } from 'rxjs';
import { formatAddress } from './address.js';
import type { CloseReason } from './close-reason.js';
import type { GevData } from './data.js';
import type { GevError } from './errors.js';
import type { GevTls } from './tls/connection-tls.js';
import type { GevRequestOptions } from './request-options.js';

/** Whom a broadcast goes to: these connections, or those that a function picks. */
export type GevReceivers<Data extends object = Record<string, unknown>, Frame = GevData> =
  Iterable<GevConnection<object, Frame>> | ((connection: GevConnection<Data, Frame>) => boolean);

/** Called once: without an argument when the kernel has taken the bytes, with an error when it never will. */
export type SendCallback = (error?: GevError) => void;

/**
 * - `connecting`: accepted; `@OnConnect` handlers have not settled yet and nothing is read
 * - `open`
 * - `closing`: output is being flushed; nothing is delivered or sent any more
 * - `closed`
 */
export type GevConnectionState = 'connecting' | 'open' | 'closing' | 'closed';

/**
 * One connection, the same object from connect to close. It may be kept longer: what can no longer work then throws a
 * {@link GevConnectionClosedError}. Reactors make them.
 *
 * @typeParam Data what the application keeps in {@link GevConnection.data}
 * @typeParam Frame what messages are with its codec, and what is sent: bytes or text, or whatever a `custom()` framing makes
 * frames of. It is declared where a handler names the type, not checked
 * @publicApi
 */
export abstract class GevConnection<Data extends object = Record<string, unknown>, Frame = GevData> {
  /** Unique among all connections of this process (of this worker thread). */
  abstract readonly id: number;
  /** The peer's numeric address; undefined for Unix sockets. An IPv4 peer of a dual-stack server shows as IPv4. */
  abstract readonly remoteAddress: string | undefined;
  /** Undefined for Unix sockets. */
  abstract readonly remotePort: number | undefined;
  abstract readonly remoteFamily: 'IPv4' | 'IPv6' | 'Unix';
  /** This side's numeric address; the path for Unix sockets. */
  abstract readonly localAddress: string | undefined;
  /** Undefined for Unix sockets. */
  abstract readonly localPort: number | undefined;
  /** Index of the reactor loop it lives on. */
  abstract readonly loop: number;
  /** Where it came in; undefined where it was dialled. */
  abstract readonly listener: GevListener | undefined;
  /** What was agreed on by TLS; undefined where it is not spoken. */
  abstract readonly tls: GevTls | undefined;
  /**
   * What the proxy has said that made it, where its listener has `proxyProtocol`; undefined elsewhere. The addresses above are the
   * client's then.
   */
  abstract readonly proxy: GevProxyInfo | undefined;
  /** When it was accepted or had connected, in milliseconds as Date.now() tells. */
  abstract readonly openedAt: number;

  /** A place for whatever the application wants to remember of this connection. */
  abstract get data(): Data;

  abstract readonly state: GevConnectionState;

  /** Bytes received and delivered. */
  abstract readonly bytesReceived: number;

  /** Bytes given to `send()` and the like; those that wait included. */
  abstract readonly bytesSent: number;

  /** Messages delivered: frames, or chunks of a raw stream. */
  abstract readonly messagesReceived: number;

  /** Calls of `send()` and the like. */
  abstract readonly messagesSent: number;

  /** Bytes sent that the kernel has not taken yet. Exact at any moment. */
  abstract get bufferedBytes(): number;

  /** Whether it may be sent to and output is not above the high-water mark; while it is, {@link GevConnection.drain$} is to come. */
  abstract get writable(): boolean;

  /** Why it closed; undefined until it has. */
  abstract readonly closeReason: CloseReason | undefined;

  /**
   * The system's error behind `reset` and `error`, what was wrong with a frame behind `protocol`, what has been sent in
   * vain behind `backpressure`; undefined otherwise.
   */
  abstract get closeError(): GevError | undefined;

  /**
   * What is received from now on, as `@OnMessage` handlers have it, who get it all the same; answers to requests, too. Completes
   * with the connection.
   */
  abstract get messages$(): Observable<Frame>;

  /** Emits when output that has been above the high-water mark is down to the low-water mark. */
  abstract get drain$(): Observable<void>;

  /** Emits the reason once and completes, for late subscribers too. */
  abstract get closed$(): Observable<CloseReason>;

  /**
   * Sends bytes or text. They are copied: a buffer may be reused at once. Everything sent to a connection arrives in the
   * order of the calls; all that is sent in one turn leaves in one system call.
   *
   * With `nestJson()` the data is the content of one frame, so JSON text.
   *
   * @param callback told once when the kernel has taken the bytes, or why it never will
   * @returns false when output is above `highWaterMark`: stop until {@link GevConnection.drain$}. The data is sent all
   * the same.
   * @throws GevConnectionClosedError once closing or closed, unless there is a callback to tell; GevHandlerError for what
   * is neither bytes nor text, and a callback that is no function; with `nestJson()` GevFrameTooLongError above `maxFrameLength`, or what `maxSendBuffer` has room for
   */
  abstract send(data: Frame, callback?: SendCallback): boolean;

  /**
   * As {@link GevConnection.send}, for whoever cannot know whether the peer is still there: a push from a timer, an event
   * or another connection's handler.
   *
   * @returns false when the connection is gone, or goes because `maxSendBuffer` is full, or it is no data, which is logged:
   * nothing is sent, and `stats().refusedSends` counts it. Above `highWaterMark` it is true; see {@link GevConnection.writable}.
   */
  abstract trySend(data: Frame): boolean;

  /**
   * As {@link GevConnection.send}, as a promise that resolves when the kernel has taken the bytes.
   *
   * @throws GevConnectionClosedError (as rejection) when the connection closes before
   */
  abstract sendAsync(data: Frame): Promise<void>;

  /**
   * Sends a frame and waits for the answer: a frame of the peer's that goes to no handler, however many messages wait for
   * theirs. Which frame that is tells
   *
   * - {@link GevRequestOptions.match}, where it is given: the first for which it is true;
   * - an id, where the codec is `packets()` with `request`: `data` is what that makes a frame of, and `read` returns the answer;
   * - the order otherwise: the first frame that comes, with `packets()` the first for which `read` returns undefined, answers
   *   the first request.
   *
   * One that was given up keeps its place until twice its timeout has passed: a late answer is dropped, and counted in
   * `stats().droppedAnswers`. Waiting for an answer keeps neither the process alive nor the connection from being idle.
   *
   * @returns the frame; by id the `data` that `read` returns
   * @throws (as rejection) GevTimeoutError; GevAbortedError; GevConnectionLostError when the connection ends, or the peer has
   * said FIN, before the answer came; GevConnectionClosedError where that was so before it was sent; GevRemoteError, or the Error that `read` returns; GevOptionsError for
   * options, and with `raw()` and `nestJson()` without `match`; GevOverloadedError beyond 65,535 requests, or when no id is free; what {@link GevConnection.send} throws
   * @example
   * ```ts
   * const version = await conn.request('VERSION?', { timeout: 2_000 });
   * ```
   */
  abstract request(data: Frame, options?: GevRequestOptions<Frame>): Promise<Frame>;
  abstract request<Answer>(data: unknown, options?: GevRequestOptions<Frame>): Promise<Answer>;

  /** What {@link GevConnection.identify} has named it; stays when it has closed. */
  abstract readonly identity: string | undefined;

  /**
   * Names whom it belongs to: a device, a user. At most one open connection of a server, or reactor, has an identity, whichever
   * listener it came in at, and `server.get(identity)` finds it. Called again with another one it moves; with the same one nothing
   * happens. Look at who it is first: whoever may take over an identity can send its owner away.
   *
   * @param options `replace`: a connection that has the identity closes, reason `replaced`. Default: false
   * @throws GevIdentityInUseError without `replace`, when another one has it; GevConnectionClosedError once closing or closed;
   * GevOptionsError unless it is a text that is not empty
   * @example
   * ```ts
   * conn.identify(imei, { replace: true }); // its former connection may be dead without a word
   * ```
   */
  abstract identify(identity: string, options?: { readonly replace?: boolean }): void;

  /** Flushes what was sent, says FIN and closes, within `closeTimeout`. Nothing more is received. Idempotent. */
  abstract close(): void;

  /** Says FIN after what was sent. Receiving goes on. Idempotent. */
  abstract shutdownWrite(): void;

  /**
   * Sets this connection's own idle timeout, counted from now, instead of the option `idleTimeout`. Harmless once closed.
   *
   * @param ms milliseconds; 0: never
   * @throws GevOptionsError unless it is a whole number from 0 to 2147483647
   */
  abstract setIdleTimeout(ms: number): void;

  /** Closes at once; output that waits is lost. Idempotent. */
  abstract destroy(): void;

  /** @internal A function of the application that was called for this connection has thrown. */
  abstract reportFailure(culprit: string, error: unknown): void;
}

/** A connection in a log line. */
export function nameOf(connection: GevConnection<object, unknown>): string {
  const { id, remoteAddress, remotePort } = connection;
  const peer =
    remoteAddress === undefined ? '' : ` (${formatAddress({ address: remoteAddress, port: remotePort })})`;
  return `connection ${id}${peer}`;
}

/** Whom a connection leads to, as errors have it: `host:port`, or the path of a Unix socket. */
export function peerOf({ remoteAddress, remotePort, localAddress }: GevConnection<object, unknown>): string {
  if (remoteAddress === undefined) return localAddress ?? 'a Unix socket';
  return formatAddress({ address: remoteAddress, port: remotePort });
}
