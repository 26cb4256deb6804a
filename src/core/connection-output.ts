import type { FrameEnvelope } from '../engine/frame-envelope.js';
import { bindOnce, type FailureReport } from './callback.js';
import { type Congestion, overflowError } from './close-error.js';
import { closeReasonCode, type CloseReason } from './close-reason.js';
import type { ConnectionFraming, FrameEncoder } from './connection-framing.js';
import type { ConnectionLoop } from './connection-loop.js';
import { GevConnection, type GevConnectionState, type SendCallback } from './connection.js';
import { asText, assertData, type GevData } from './data.js';
import { GevBackpressureError, GevConnectionClosedError, type GevError, GevHandlerError } from './errors.js';
import { cannotEnclose, frameTooLong } from './frame-limits.js';
import { show } from './option-checks.js';
import { PendingFlushes } from './pending-flushes.js';
import { isData } from './values.js';
import { type FramePiece, MAX_FRAME_HEADER, Operation, SendFlag } from '../engine/loop-port.js';

const NOTHING = new Uint8Array(0);

/** A connection as far as it is sent to: what is sent, counted, bounded, and waited for. */
export abstract class ConnectionOutput extends GevConnection {
  state: GevConnectionState;
  bytesSent = 0;
  messagesSent = 0;
  abstract override readonly closeReason: CloseReason | undefined;

  /** Makes frames of what is sent; undefined: it goes as it is, or the engine frames it. */
  protected encoder: FrameEncoder | undefined;
  protected aborted = false;
  /** What is to end it, or has. */
  protected error: GevError | undefined;
  protected congestion: Congestion | undefined;
  protected flushes: PendingFlushes | undefined;
  private written = 0; // of `bytesSent`, as far as known
  private finRequested = false;

  /**
   * @param framing how what is sent becomes bytes
   * @param slot its place among the connections of its loop
   * @param generation which of those that had this place
   */
  protected constructor(
    protected readonly owner: ConnectionLoop,
    readonly framing: ConnectionFraming,
    readonly slot: number,
    readonly generation: number,
  ) {
    super();
    this.encoder = framing.encoder;
    this.state = owner.gated ? 'connecting' : 'open';
  }

  get bufferedBytes(): number {
    if (this.state === 'closed') return 0;
    this.refreshWritten();
    return this.bytesSent - this.written;
  }

  get writable(): boolean {
    return this.canSend && this.bufferedBytes <= this.owner.highWaterMark;
  }

  send(data: GevData, callback?: SendCallback): boolean {
    this.assertTaken(data);
    if (callback !== undefined && typeof callback !== 'function') {
      throw new GevHandlerError(`The callback of send() must be a function, not ${show(callback)}`);
    }
    return this.transmit(
      data,
      callback === undefined ? undefined : bindOnce(callback, 'A send() callback', this.reporter),
    );
  }

  trySend(data: GevData): boolean {
    if (this.canSend) {
      try {
        this.assertTaken(data);
        this.transmit(data);
        if (!this.aborted) return true;
      } catch (error) {
        this.reportFailure('trySend()', error);
      }
    }
    this.owner.countRefusedSend();
    return false;
  }

  sendAsync(data: GevData): Promise<void> {
    return new Promise((resolve, reject) => {
      this.assertTaken(data);
      this.transmit(data, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /**
   * As {@link GevConnection.send}, of what is known to be data.
   *
   * @param settle as the callback of `send()`; must not throw
   */
  transmit(data: GevData, settle?: SendCallback): boolean {
    const { framing, encoder } = this;
    if (framing.isNestTcp) return this.sendFrame([asText(data)], settle);
    if (framing.envelope !== undefined) return this.sendEnclosed(framing.envelope, data, settle);
    if (encoder === undefined) return this.sendBytes(data, settle);
    if (!this.canSend) return this.refuse(settle); // the application's framing counts what it frames
    return this.sendBytes(encoder.encode(data), settle);
  }

  private sendBytes(data: GevData, settle: SendCallback | undefined): boolean {
    if (!this.canSend) return this.refuse(settle);
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    const flags = this.account(length, settle);
    if (flags < 0) return false;
    const { slot, generation, owner } = this;
    if (length > 0 || flags !== 0) {
      if (typeof data === 'string') owner.outbound.sendText(slot, generation, data, length, flags);
      else owner.outbound.send(slot, generation, data, flags);
    }
    return this.isBelowHighWater;
  }

  /** As {@link transmit}, of what may be no data. Throws GevHandlerError then. */
  transmitChecked(data: unknown): boolean {
    this.assertTaken(data);
    return this.transmit(data);
  }

  /** What may be sent: bytes or text, or whatever the framing of the application takes. */
  takes(data: unknown): data is GevData {
    return this.framing.kind === 'custom' || isData(data);
  }

  private assertTaken(data: unknown): asserts data is GevData {
    if (!this.takes(data)) assertData(data);
  }

  /**
   * Sends one frame of text, given in pieces.
   *
   * @param settle as the callback of `send()`; must not throw
   * @throws GevFrameTooLongError
   */
  sendFrame(pieces: readonly FramePiece[], settle?: SendCallback): boolean {
    if (!this.canSend) return this.refuse(settle);
    const { slot, generation, owner } = this;
    const flags = settle === undefined ? 0 : SendFlag.NotifyFlushed;
    const sent = owner.outbound.sendFrame(slot, generation, pieces, flags);
    if (sent < 0) throw frameTooLong(-sent, owner.limits);
    return this.count(sent, settle);
  }

  private sendEnclosed(envelope: FrameEnvelope, data: GevData, settle: SendCallback | undefined): boolean {
    if (!this.canSend) return this.refuse(settle);
    const { slot, generation, owner, framing } = this;
    const { encoding, longest, limits } = framing;
    const content = typeof data === 'string' && encoding !== undefined ? Buffer.from(data, encoding) : data;
    if (3 * content.length > longest) {
      const length = Buffer.byteLength(content);
      if (length > longest) throw frameTooLong(length, limits);
    }
    const flags = settle === undefined ? 0 : SendFlag.NotifyFlushed;
    const sent = owner.outbound.sendEnclosed(slot, generation, envelope, content, flags);
    if (sent <= 0) throw cannotEnclose(-sent || Buffer.byteLength(content), envelope, framing);
    return this.count(sent, settle);
  }

  /** Counts what has been sent. False above the high-water mark. */
  private count(sent: number, settle: SendCallback | undefined): boolean {
    this.bytesSent += sent;
    this.messagesSent++;
    const below = this.isBelowHighWater || this.checkOutput(settle);
    if (settle !== undefined && !this.aborted) this.awaitFlush(settle);
    return below;
  }

  /** Whether a broadcast reaches it; one that had too much output already is closed. */
  takesBroadcast(length: number): boolean {
    if (this.state !== 'open' || this.finRequested) return false;
    const { maxSendBuffer } = this.owner;
    if (this.bytesSent + length - this.written > maxSendBuffer) {
      this.refreshWritten();
      if (this.bytesSent + length - this.written > maxSendBuffer) {
        this.overflow(undefined);
        return false;
      }
    }
    return true;
  }

  /** Counts what a broadcast has sent. */
  countBroadcast(length: number): void {
    this.bytesSent += length;
    this.messagesSent++;
    if (this.bytesSent - this.written > this.owner.highWaterMark) this.checkOutput(undefined);
  }

  /** Whether one more frame would not end it by `maxSendBuffer`. */
  hasRoomFor(data: GevData): boolean {
    return this.bufferedBytes + Buffer.byteLength(data) + MAX_FRAME_HEADER <= this.owner.maxSendBuffer;
  }

  /** Output has been above the high-water mark, and `drain$` has not emitted since. */
  get congested(): boolean {
    return this.congestion !== undefined;
  }

  shutdownWrite(): void {
    if (!this.canSend) return;
    this.finRequested = true;
    this.command(Operation.ShutdownWrite);
  }

  /** Closes at once: the peer does not keep up. */
  failBackpressure(): void {
    this.error ??= new GevBackpressureError(
      "A stream went on while output was above highWaterMark, and overflow is 'close'",
    );
    this.abortFor('backpressure');
  }

  reportFailure(culprit: string, error: unknown): void {
    this.owner.reportFailure(culprit, error, this);
  }

  handleFlushed(written: number): void {
    this.written = written;
    this.flushes?.settle(written);
  }

  protected command(operation: number, reason?: CloseReason): void {
    const argument = reason === undefined ? 0 : closeReasonCode(reason);
    this.owner.outbound.command(operation, this.slot, this.generation, argument);
  }

  protected abortFor(reason: CloseReason): void {
    if (this.aborted || this.state === 'closed') return;
    this.aborted = true;
    this.state = 'closing';
    this.command(Operation.Abort, reason);
  }

  protected get reporter(): FailureReport {
    return (culprit, error) => this.reportFailure(culprit, error);
  }

  private get canSend(): boolean {
    return (this.state === 'open' || this.state === 'connecting') && !this.finRequested;
  }

  private refuse(settle: SendCallback | undefined): boolean {
    const error = new GevConnectionClosedError(this.closeReason);
    if (settle === undefined) throw error;
    queueMicrotask(() => settle(error));
    return false;
  }

  /** Counts output before it is sent. Returns the flags to send it with; -1 where it may not be, and the connection ends. */
  private account(length: number, settle: SendCallback | undefined): number {
    const { owner } = this;
    let flags = 0;
    if (this.bytesSent + length - this.written > owner.highWaterMark) {
      this.refreshWritten();
      const buffered = this.bytesSent + length - this.written;
      if (buffered > owner.maxSendBuffer) {
        this.overflow(settle);
        return -1;
      }
      if (buffered > owner.highWaterMark && this.congestion === undefined) {
        this.congest();
        flags = SendFlag.NotifyDrained;
      }
    }
    this.bytesSent += length;
    this.messagesSent++;
    if (settle === undefined) return flags;
    this.awaitFlush(settle);
    return flags | SendFlag.NotifyFlushed;
  }

  private get isBelowHighWater(): boolean {
    return this.bytesSent - this.written <= this.owner.highWaterMark;
  }

  /** After output whose length shows only when it is written: false above the high-water mark. */
  private checkOutput(settle: SendCallback | undefined): boolean {
    this.refreshWritten();
    const { owner } = this;
    const buffered = this.bytesSent - this.written;
    if (buffered > owner.maxSendBuffer) {
      this.overflow(settle);
      return false;
    }
    if (buffered <= owner.highWaterMark) return true;
    if (this.congestion === undefined) {
      this.congest();
      owner.outbound.send(this.slot, this.generation, NOTHING, SendFlag.NotifyDrained);
    }
    return false;
  }

  private congest(): void {
    this.congestion = { since: performance.now(), written: this.written };
  }

  private overflow(settle: SendCallback | undefined): void {
    const error = overflowError(this.owner.maxSendBuffer, this.congestion, this.written);
    if (!this.aborted) this.error = error;
    this.abortFor('backpressure');
    if (settle !== undefined) queueMicrotask(() => settle(error));
  }

  private awaitFlush(settle: SendCallback): void {
    (this.flushes ??= new PendingFlushes()).add(this.bytesSent, settle);
  }

  private refreshWritten(): void {
    const written = this.owner.bytesWritten(this.slot, this.generation);
    if (written >= 0) this.written = written;
  }
}
