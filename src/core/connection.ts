import type { Observable, Subscriber, Subscription } from 'rxjs';
import { Operation, SendFlag } from '../engine/native/layout.js';
import { type FramePiece, MAX_FRAME_HEADER } from '../engine/native/outbound.js';
import { formatAddress } from './address.js';
import { inCommon } from './both-builds.js';
import { bindOnce, type FailureReport } from './callback.js';
import { closeReasonCode, type CloseReason } from './close-reason.js';
import { MAX_DELAY } from './constants.js';
import { ContainedObservable, EventSource } from './contained-observable.js';
import {
  GevBackpressureError,
  GevConnectionClosedError,
  GevConnectionError,
  GevHandlerError,
  GevProtocolError,
  type GevError,
} from './errors.js';
import { frameTooLong } from './frame-limits.js';
import { isIntegerIn, refuse, show } from './option-checks.js';
import type { ReactorLoop } from './reactor-loop.js';
import { systemErrorName } from './system-error.js';
import { isData, typeName } from './values.js';

/** What can be sent. Strings are sent as UTF-8. */
export type GevData = Buffer | Uint8Array | string;

/** Whom a broadcast goes to: these connections, or those that a function picks. */
export type GevReceivers<Data extends object = Record<string, unknown>> =
  Iterable<GevConnection<object>> | ((connection: GevConnection<Data>) => boolean);

/** Called once: without an argument when the kernel has taken the bytes, with an error when it never will. */
export type SendCallback = (error?: GevError) => void;

/**
 * - `connecting`: accepted; `@OnConnect` handlers have not settled yet and nothing is read
 * - `open`
 * - `closing`: output is being flushed; nothing is delivered or sent any more
 * - `closed`
 */
export type GevConnectionState = 'connecting' | 'open' | 'closing' | 'closed';

/** What a loop's open event says of a connection. @internal */
export interface ConnectionIdentity {
  readonly slot: number;
  readonly generation: number;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly localHost: string;
  readonly localPort: number;
  readonly family: number;
}

interface PendingFlush {
  readonly target: number;
  readonly settle: SendCallback;
}

const NOTHING = new Uint8Array(0);
/** Output that has grown over all limits in less has left the peer no time to read it. */
const FLOOD_MS = 100;

const ids = inCommon('connection-ids', () => ({ next: 1 }));

/**
 * One connection, the same object from connect to close. It may be kept longer: what can no longer work then throws a
 * {@link GevConnectionClosedError}.
 *
 * @typeParam Data what the application keeps in {@link GevConnection.data}
 * @publicApi
 */
export class GevConnection<Data extends object = Record<string, unknown>> {
  /** Unique among all connections of this process (of this worker thread). */
  readonly id = ids.next++;
  /** The peer's numeric address; undefined for Unix sockets. An IPv4 peer of a dual-stack server shows as IPv4. */
  readonly remoteAddress: string | undefined;
  /** Undefined for Unix sockets. */
  readonly remotePort: number | undefined;
  readonly remoteFamily: 'IPv4' | 'IPv6' | 'Unix';
  /** This side's numeric address; the path for Unix sockets. */
  readonly localAddress: string | undefined;
  /** Undefined for Unix sockets. */
  readonly localPort: number | undefined;
  /** Index of the reactor loop it lives on. */
  readonly loop: number;
  /** When it was accepted or had connected, in milliseconds as Date.now() tells. */
  readonly openedAt = Date.now();

  /** @internal Replies that handlers still owe; kept by the server layer. */
  pendingReplies = 0;
  /** @internal The server layer's state of this connection. */
  scope: unknown;

  private currentState: GevConnectionState;
  private received = 0;
  private sent = 0;
  private receivedMessages = 0;
  private sentMessages = 0;
  private written = 0; // of `sent`, as far as known
  private finRequested = false;
  private leavesFor: CloseReason | undefined;
  private aborted = false;
  private refused = false;
  private awaitsDrain = false;
  private heldIdle = false; // its idle timeout has passed while a reply was owed
  /** Since when (as performance.now() tells) and from which count of written bytes on output is above the high-water mark. */
  private congestedAt = 0;
  private congestedFrom = 0;
  private reason: CloseReason | undefined;
  private errno = 0;
  private tooLong = 0;
  private error: GevError | undefined;
  private bag: Data | undefined;
  private flushes: PendingFlush[] | undefined;
  private messages: EventSource<Buffer> | undefined;
  private drains: EventSource<void> | undefined;
  private ended: EventSource<CloseReason> | undefined;

  /** @internal */
  constructor(
    private readonly owner: ReactorLoop,
    private readonly identity: ConnectionIdentity,
  ) {
    const unix = identity.family === 1;
    this.loop = owner.index;
    this.remoteFamily = unix ? 'Unix' : identity.family === 6 ? 'IPv6' : 'IPv4';
    this.remoteAddress = unix ? undefined : identity.remoteHost;
    this.remotePort = unix ? undefined : identity.remotePort;
    this.localAddress = identity.localHost === '' ? undefined : identity.localHost;
    this.localPort = unix ? undefined : identity.localPort;
    this.currentState = owner.gated ? 'connecting' : 'open';
  }

  /** A place for whatever the application wants to remember of this connection. */
  get data(): Data {
    return (this.bag ??= {} as Data);
  }

  get state(): GevConnectionState {
    return this.currentState;
  }

  /** Bytes received and delivered. */
  get bytesReceived(): number {
    return this.received;
  }

  /** Bytes given to `send()` and the like; those that wait included. */
  get bytesSent(): number {
    return this.sent;
  }

  /** Messages delivered: frames, or chunks of a raw stream. */
  get messagesReceived(): number {
    return this.receivedMessages;
  }

  /** Calls of `send()` and the like. */
  get messagesSent(): number {
    return this.sentMessages;
  }

  /** Bytes sent that the kernel has not taken yet. Exact at any moment. */
  get bufferedBytes(): number {
    if (this.currentState === 'closed') return 0;
    this.refreshWritten();
    return this.sent - this.written;
  }

  /** Whether it may be sent to and output is not above the high-water mark; while it is, {@link GevConnection.drain$} is to come. */
  get writable(): boolean {
    return this.canSend && this.bufferedBytes <= this.owner.highWaterMark;
  }

  /** Why it closed; undefined until it has. */
  get closeReason(): CloseReason | undefined {
    return this.reason;
  }

  /**
   * The system's error behind `reset` and `error`, what was wrong with a frame behind `protocol`, what has been sent in
   * vain behind `backpressure`; undefined otherwise.
   */
  get closeError(): GevError | undefined {
    // Made when it is asked for: a storm of resets must not pay for as many stack traces.
    if (this.errno !== 0) this.error ??= this.makeCloseError();
    return this.error;
  }

  /** What is received from now on, a frame's content as UTF-8; completes with the connection. Handlers get every message all the same. */
  get messages$(): Observable<Buffer> {
    return (this.messages ??= this.openSource<Buffer>('messages$')).observable;
  }

  /** Emits when output that has been above the high-water mark is down to the low-water mark. */
  get drain$(): Observable<void> {
    return (this.drains ??= this.openSource<void>('drain$')).observable;
  }

  /** Emits the reason once and completes, for late subscribers too. */
  get closed$(): Observable<CloseReason> {
    const subscribe = (subscriber: Subscriber<CloseReason>): Subscription | undefined => {
      const { reason } = this;
      if (reason === undefined) {
        return (this.ended ??= this.openSource<CloseReason>('closed$')).observable.subscribe(subscriber);
      }
      subscriber.next(reason);
      subscriber.complete();
      return undefined;
    };
    return new ContainedObservable(subscribe, 'A subscriber of closed$', this.reporter, false);
  }

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
  send(data: GevData, callback?: SendCallback): boolean {
    assertData(data);
    if (callback !== undefined && typeof callback !== 'function') {
      throw new GevHandlerError(`The callback of send() must be a function, not ${show(callback)}`);
    }
    return this.transmit(
      data,
      callback === undefined ? undefined : bindOnce(callback, 'A send() callback', this.reporter),
    );
  }

  /**
   * As {@link GevConnection.send}, for whoever cannot know whether the peer is still there: a push from a timer, an event
   * or another connection's handler.
   *
   * @returns false when the connection is gone, or goes because `maxSendBuffer` is full, or it is no data, which is logged:
   * nothing is sent, and `stats().refusedSends` counts it. Above `highWaterMark` it is true; see {@link GevConnection.writable}.
   */
  trySend(data: GevData): boolean {
    if (this.canSend) {
      try {
        assertData(data);
        this.transmit(data);
        if (!this.aborted) return true;
      } catch (error) {
        this.reportFailure('trySend()', error);
      }
    }
    this.owner.countRefusedSend();
    return false;
  }

  /**
   * As {@link GevConnection.send}, as a promise that resolves when the kernel has taken the bytes.
   *
   * @throws GevConnectionClosedError (as rejection) when the connection closes before
   */
  sendAsync(data: GevData): Promise<void> {
    return new Promise((resolve, reject) => {
      assertData(data);
      this.transmit(data, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /**
   * Sends one frame of text, given in pieces.
   *
   * @internal
   * @param settle as the callback of `send()`; must not throw
   * @throws GevFrameTooLongError
   */
  sendFrame(pieces: readonly FramePiece[], settle?: SendCallback): boolean {
    if (!this.canSend) return this.refuse(settle);
    const { identity, owner } = this;
    const flags = settle === undefined ? 0 : SendFlag.NotifyFlushed;
    const sent = owner.outbound.sendFrame(identity.slot, identity.generation, pieces, flags);
    if (sent < 0) throw frameTooLong(-sent, owner.limits);
    this.sent += sent;
    this.sentMessages++;
    const below = this.sent - this.written <= owner.highWaterMark || this.checkOutput(settle);
    if (settle !== undefined && !this.aborted) {
      (this.flushes ??= []).push({ target: this.sent, settle });
    }
    return below;
  }

  /** Flushes what was sent, says FIN and closes, within `closeTimeout`. Nothing more is received. Idempotent. */
  close(): void {
    this.closeFor('local');
  }

  /** Says FIN after what was sent. Receiving goes on. Idempotent. */
  shutdownWrite(): void {
    if (!this.canSend) return;
    this.finRequested = true;
    this.command(Operation.ShutdownWrite);
  }

  /**
   * Sets this connection's own idle timeout, counted from now, instead of the option `idleTimeout`. Harmless once closed.
   *
   * @param ms milliseconds; 0: never
   * @throws GevOptionsError unless it is a whole number from 0 to 2147483647
   */
  setIdleTimeout(ms: number): void {
    if (!isIntegerIn(ms, 0, MAX_DELAY)) {
      throw refuse('idleTimeout', ms, `an integer from 0 to ${MAX_DELAY} (milliseconds)`);
    }
    if (this.currentState === 'closed') return;
    this.heldIdle = false;
    this.owner.outbound.setIdleTimeout(this.identity.slot, this.identity.generation, ms);
  }

  /** Closes at once; output that waits is lost. Idempotent. */
  destroy(): void {
    this.abortFor('local');
  }

  // --- the rest is the core's ---

  /** @internal */
  get slot(): number {
    return this.identity.slot;
  }

  /** @internal */
  get generation(): number {
    return this.identity.generation;
  }

  /** @internal */
  closeFor(reason: CloseReason): void {
    if (this.currentState !== 'open' && this.currentState !== 'connecting') return;
    this.currentState = 'closing';
    this.command(Operation.Close, reason);
  }

  /**
   * @internal Goes on receiving, and closes when the peer ends, or when nothing is owed to it and it has sent nothing for
   * `quiet` ms from now on (0: not for that). The last call counts. One that closes already is hastened by reason `shutdown`:
   * its peer's FIN is not waited for.
   */
  leave(reason: CloseReason, quiet: number): void {
    if (this.currentState === 'closed') return;
    this.leavesFor = reason;
    this.heldIdle = false;
    const { slot, generation } = this.identity;
    this.owner.outbound.leave(slot, generation, quiet, closeReasonCode(reason));
  }

  /** @internal The peer has ended, and is owed nothing more. */
  finish(): void {
    this.closeFor(this.leavesFor ?? 'peer');
  }

  /** @internal The gate opens: reading begins. */
  admit(): void {
    if (this.currentState !== 'connecting') return;
    this.currentState = 'open';
    this.command(Operation.Resume);
  }

  /** @internal */
  pause(): void {
    if (this.currentState === 'open') this.command(Operation.Pause);
  }

  /** @internal */
  resume(): void {
    if (this.currentState === 'open') this.command(Operation.Resume);
  }

  /** @internal Whether a broadcast reaches it; one that had too much output already is closed. */
  takesBroadcast(length: number): boolean {
    if (this.currentState !== 'open' || this.finRequested) return false;
    const { maxSendBuffer } = this.owner;
    if (this.sent + length - this.written > maxSendBuffer) {
      this.refreshWritten();
      if (this.sent + length - this.written > maxSendBuffer) {
        this.overflow(undefined);
        return false;
      }
    }
    return true;
  }

  /** @internal Counts what a broadcast has sent. */
  countBroadcast(length: number): void {
    this.sent += length;
    this.sentMessages++;
    if (this.sent - this.written > this.owner.highWaterMark) this.checkOutput(undefined);
  }

  /** @internal Bytes that have come so far, those of a frame that is not whole yet included. */
  get bytesArrived(): number {
    return Math.max(this.received, this.owner.bytesReceived(this.identity.slot, this.identity.generation));
  }

  /** @internal Whether what its peer sent is still wanted. */
  get receives(): boolean {
    return this.currentState === 'open' && !this.refused;
  }

  /**
   * @internal What was received is no valid message, and nothing behind it is taken. What is owed to messages before it
   * may still be sent: the end of its input is told next, and it closes within `closeTimeout`, reason `protocol`.
   */
  refuseInput(): void {
    if (!this.receives) return;
    this.refused = true;
    this.command(Operation.RefuseInput);
  }

  /** @internal Returns whether handlers get it, too: a subscriber may have closed the connection. */
  handleMessage(data: Buffer): boolean {
    this.received += data.length;
    this.receivedMessages++;
    return this.messages === undefined || this.tell(this.messages, data);
  }

  /** @internal As {@link handleMessage}. */
  handleText(text: string, length: number): boolean {
    this.received += length;
    this.receivedMessages++;
    return this.messages === undefined || this.tell(this.messages, Buffer.from(text));
  }

  /** @internal Its idle timeout has passed: it ends, unless it is owed a reply. */
  handleIdle(): void {
    if (this.pendingReplies > 0) this.heldIdle = true;
    else this.command(Operation.ExpireIdle);
  }

  /** @internal No reply is owed any more: the idle timeout begins anew, if it passed meanwhile. */
  releaseIdle(): void {
    if (!this.heldIdle) return;
    this.heldIdle = false;
    this.command(Operation.RestartIdle);
  }

  /** @internal */
  handleDrain(): void {
    this.awaitsDrain = false;
    this.drains?.next();
  }

  /** @internal */
  handleFlushed(written: number): void {
    this.written = written;
    const { flushes } = this;
    if (flushes === undefined) return;
    let settled = 0;
    while (settled < flushes.length && flushes[settled]!.target <= written) settled++;
    for (const flush of flushes.splice(0, settled)) flush.settle();
  }

  /** @internal Its loop is gone: nothing can be sent any more, and its close is about to be told. */
  handleLost(): void {
    if (this.currentState !== 'closed') this.currentState = 'closing';
  }

  /** @internal Tells whoever waits for something of it. */
  handleClose(reason: CloseReason, errno: number, tooLong: number): void {
    this.currentState = 'closed';
    this.reason = reason;
    this.errno = errno;
    this.tooLong = tooLong;
    if (errno !== 0) this.error = undefined; // what was to end it came too late
    const lost = this.flushes;
    this.flushes = undefined;
    for (const flush of lost ?? []) {
      flush.settle(new GevConnectionClosedError(reason, { cause: this.closeError }));
    }
    this.messages?.complete();
    this.drains?.complete();
    this.ended?.next(reason);
    this.ended?.complete();
  }

  /** @internal A function of the application that was called for this connection has thrown. */
  reportFailure(culprit: string, error: unknown): void {
    this.owner.reportFailure(culprit, error, this);
  }

  private tell(messages: EventSource<Buffer>, data: Buffer): boolean {
    messages.next(data);
    return this.receives;
  }

  private makeCloseError(): GevError {
    const { errno, tooLong } = this;
    const { maxFrameLength, maxPartialBytes, maxTotalSendBuffer } = this.owner.limits;
    if (this.reason === 'protocol') {
      return tooLong > 0
        ? new GevProtocolError(errno, maxFrameLength, tooLong)
        : new GevProtocolError(errno, maxPartialBytes);
    }
    if (this.reason === 'backpressure') {
      return new GevBackpressureError(
        `More than maxTotalSendBuffer (${maxTotalSendBuffer} bytes) waited for all peers, and most of it for this one`,
        { errno },
      );
    }
    return new GevConnectionError(systemErrorName(errno), undefined, { errno });
  }

  private get canSend(): boolean {
    return (this.currentState === 'open' || this.currentState === 'connecting') && !this.finRequested;
  }

  /** @internal Whether one more frame would not end it by `maxSendBuffer`. */
  hasRoomFor(text: string): boolean {
    return this.bufferedBytes + Buffer.byteLength(text) + MAX_FRAME_HEADER <= this.owner.maxSendBuffer;
  }

  /** @internal Output has been above the high-water mark, and `drain$` has not emitted since. */
  get congested(): boolean {
    return this.awaitsDrain;
  }

  /** @internal Closes at once: the peer does not keep up. */
  failBackpressure(): void {
    this.error ??= new GevBackpressureError(
      "A stream went on while output was above highWaterMark, and overflow is 'close'",
    );
    this.abortFor('backpressure');
  }

  /** @internal Closes at once: the peer does not answer any more. */
  failSilent(): void {
    this.abortFor('reset');
  }

  /** @internal Closes at once: what was received is no valid message, and nothing is owed to those before it. */
  failProtocol(): void {
    this.abortFor('protocol');
  }

  private get reporter(): FailureReport {
    return (culprit, error) => this.reportFailure(culprit, error);
  }

  /**
   * @internal As {@link GevConnection.send}, of what is known to be data.
   *
   * @param settle as the callback of `send()`; must not throw
   */
  transmit(data: GevData, settle?: SendCallback): boolean {
    if (this.owner.framesText) return this.sendFrame([asText(data)], settle);
    if (!this.canSend) return this.refuse(settle);
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    const { identity, owner } = this;
    let flags = 0;
    let below = true;
    if (this.sent + length - this.written > owner.highWaterMark) {
      this.refreshWritten();
      const buffered = this.sent + length - this.written;
      if (buffered > owner.maxSendBuffer) {
        this.overflow(settle);
        return false;
      }
      if (buffered > owner.highWaterMark) {
        below = false;
        if (!this.awaitsDrain) {
          this.congest();
          flags = SendFlag.NotifyDrained;
        }
      }
    }
    this.sent += length;
    this.sentMessages++;
    if (settle !== undefined) {
      flags |= SendFlag.NotifyFlushed;
      (this.flushes ??= []).push({ target: this.sent, settle });
    }
    if (length === 0 && flags === 0) return below;
    if (typeof data === 'string')
      owner.outbound.sendText(identity.slot, identity.generation, data, length, flags);
    else owner.outbound.send(identity.slot, identity.generation, data, flags);
    return below;
  }

  private refuse(settle: SendCallback | undefined): boolean {
    const error = new GevConnectionClosedError(this.reason);
    if (settle === undefined) throw error;
    queueMicrotask(() => settle(error));
    return false;
  }

  /** After output whose length shows only when it is written: false above the high-water mark. */
  private checkOutput(settle: SendCallback | undefined): boolean {
    this.refreshWritten();
    const { identity, owner } = this;
    const buffered = this.sent - this.written;
    if (buffered > owner.maxSendBuffer) {
      this.overflow(settle);
      return false;
    }
    if (buffered <= owner.highWaterMark) return true;
    if (!this.awaitsDrain) {
      this.congest();
      owner.outbound.send(identity.slot, identity.generation, NOTHING, SendFlag.NotifyDrained);
    }
    return false;
  }

  private abortFor(reason: CloseReason): void {
    if (this.aborted || this.currentState === 'closed') return;
    this.aborted = true;
    this.currentState = 'closing';
    this.command(Operation.Abort, reason);
  }

  private congest(): void {
    this.awaitsDrain = true;
    this.congestedAt = performance.now();
    this.congestedFrom = this.written;
  }

  private overflow(settle: SendCallback | undefined): void {
    const error = new GevBackpressureError(this.overflowMessage());
    if (!this.aborted) this.error = error;
    this.abortFor('backpressure');
    if (settle !== undefined) queueMicrotask(() => settle(error));
  }

  /** By whose fault: a peer that had no time to read is not to blame. */
  private overflowMessage(): string {
    const bytes = `maxSendBuffer (${this.owner.maxSendBuffer} bytes)`;
    const waited = this.awaitsDrain ? performance.now() - this.congestedAt : 0;
    if (waited < FLOOD_MS) {
      return `More than ${bytes} was sent at once: wait for drain$ when send() returns false, or raise maxSendBuffer`;
    }
    const how = this.written > this.congestedFrom ? 'reads too slowly' : 'does not read';
    return `More than ${bytes} waited for a peer that ${how}: output has been above highWaterMark for ${Math.round(waited)} ms`;
  }

  private refreshWritten(): void {
    const written = this.owner.bytesWritten(this.identity.slot, this.identity.generation);
    if (written >= 0) this.written = written;
  }

  private command(operation: number, reason?: CloseReason): void {
    const { slot, generation } = this.identity;
    const argument = reason === undefined ? 0 : closeReasonCode(reason);
    this.owner.outbound.command(operation, slot, generation, argument);
  }

  private openSource<T>(name: string): EventSource<T> {
    const source = new EventSource<T>(`A subscriber of ${name}`, this.reporter);
    if (this.currentState === 'closed') source.complete();
    return source;
  }
}

/** A connection in a log line. */
export function nameOf(connection: GevConnection<object>): string {
  const { id, remoteAddress, remotePort } = connection;
  const peer =
    remoteAddress === undefined ? '' : ` (${formatAddress({ address: remoteAddress, port: remotePort })})`;
  return `connection ${id}${peer}`;
}

/**
 * Refuses what types may have let through: its length would spoil the counters.
 *
 * @throws GevHandlerError
 */
export function assertData(data: unknown): asserts data is GevData {
  if (isData(data)) return;
  throw new GevHandlerError(
    `a ${typeName(data)} cannot be sent: give a Buffer, Uint8Array or string; bytes of another kind as Buffer.from(data)`,
  );
}

function asText(data: GevData): string {
  if (typeof data === 'string') return data;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
}
