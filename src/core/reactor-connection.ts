import type { Observable } from 'rxjs';
import type { Opening } from '../engine/inbound-listener.js';
import { inCommon } from './both-builds.js';
import { closeErrorOf, framingError } from './close-error.js';
import { mismatchOf } from './codec-mismatch.js';
import { closeReasonCode, type CloseReason } from './close-reason.js';
import type { ConnectionLoop } from './connection-loop.js';
import type { CustomFrames } from './custom-frames.js';
import { ConnectionStreams } from './connection-streams.js';
import { MAX_DELAY } from './constants.js';
import { GevConnectionClosedError, GevError } from './errors.js';
import { isIntegerIn, refuse } from './option-checks.js';
import type { GevAnswer } from '../protocol/packet-format.js';
import type { GevData } from './data.js';
import type { GevListener } from './address.js';
import { ConnectionTls } from './tls/connection-tls.js';
import { type GevRequestOptions, resolveRequestOptions } from './request-options.js';
import { Requests } from './requests.js';
import { type GevProxyInfo, proxyInfo } from './proxy.js';
import type { ReactorListener } from './reactor-listener.js';
import { ConnectionOutput } from './connection-output.js';
import { Operation } from '../engine/loop-port.js';

const ids = inCommon('connection-ids', () => ({ next: 1 }));

/**
 * A connection as its loop and the layers above the core see it: every {@link GevConnection} is one.
 *
 * @typeParam Attachment what the layer above keeps of each connection
 */
export class ReactorConnection<Attachment extends object = object> extends ConnectionOutput {
  readonly id = ids.next++;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: 'IPv4' | 'IPv6' | 'Unix';
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly loop: number;
  readonly listener: GevListener | undefined;
  readonly tls: ConnectionTls | undefined;
  readonly proxy: GevProxyInfo | undefined;
  readonly openedAt = Date.now();
  bytesReceived = 0;
  messagesReceived = 0;
  closeReason: CloseReason | undefined = undefined;
  identity: string | undefined = undefined;

  /** The layer above sets it, when the connection opens or later. */
  attachment: Attachment | undefined = undefined;
  /** The layer above sets it, to be told when {@link asking} has changed. */
  onAsking: (() => void) | undefined = undefined;
  /** Replies that handlers still owe: while there are any, it is not idle. Counted by the layer above. */
  pendingReplies = 0;

  private refused = false;
  private discards = false; // what was received and waits is not wanted either
  private heldIdle = false; // its idle timeout has passed while a reply was owed
  private leavesFor: CloseReason | undefined;
  private errno = 0;
  badFrame = 0; // what its loop tells of a frame that its input is refused for: see InboundListener.onClose()
  private bag: Record<string, unknown> | undefined;
  private streams: ConnectionStreams | undefined;
  private requests: Requests | undefined;
  /** Frames are shown to somebody before handlers get them: to subscribers, or to requests. */
  private watched = false;
  private inputEnd: CloseReason | undefined;
  /** Where the application frames by itself. */
  private frames: CustomFrames | undefined;

  constructor(
    owner: ConnectionLoop,
    listener: ReactorListener,
    { slot, generation, remoteHost, remotePort, localHost, localPort, family, dial, tls, proxy }: Opening,
  ) {
    super(owner, listener.framing, slot, generation);
    this.listener = dial === 0 ? listener : undefined;
    this.tls = tls && new ConnectionTls(tls);
    const unix = family === 1;
    this.proxy = proxy && proxyInfo(proxy);
    this.loop = owner.index;
    this.remoteFamily = unix ? 'Unix' : family === 6 ? 'IPv6' : 'IPv4';
    this.remoteAddress = unix ? undefined : remoteHost;
    this.remotePort = unix ? undefined : remotePort;
    this.localAddress = localHost === '' ? undefined : localHost;
    this.localPort = unix ? undefined : localPort;
  }

  get data(): Record<string, unknown> {
    return (this.bag ??= {});
  }

  get closeError(): GevError | undefined {
    // Made when it is asked for: a storm of resets must not pay for as many stack traces.
    const { errno, badFrame, closeReason, owner } = this;
    if (errno !== 0) this.error ??= closeErrorOf(closeReason, errno, badFrame, owner.limits, this.mismatch);
    return this.error;
  }

  get messages$(): Observable<GevData> {
    this.watched = true;
    return this.openStreams().messages$;
  }

  get drain$(): Observable<void> {
    return this.openStreams().drain$;
  }

  get closed$(): Observable<CloseReason> {
    return this.openStreams().closed$;
  }

  request<Answer>(data: unknown, options?: GevRequestOptions<unknown>): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      const resolved = resolveRequestOptions(options);
      if (this.inputEnd !== undefined || (this.state !== 'open' && this.state !== 'connecting')) {
        throw new GevConnectionClosedError(this.closeReason ?? this.inputEnd, { cause: this.closeError });
      }
      const { requestDeadlines, packetsAreRead } = this.owner;
      this.requests ??= new Requests(this, requestDeadlines, !packetsAreRead);
      this.requests.ask(data, resolved, resolve as (answer: unknown) => void, reject);
    });
  }

  identify(identity: string, options?: { readonly replace?: boolean }): void {
    this.owner.identities.claim(this, identity, options);
  }

  close(): void {
    this.closeFor('local');
  }

  closeFor(reason: CloseReason): void {
    if (this.state !== 'open' && this.state !== 'connecting') return;
    this.state = 'closing';
    this.depart(reason);
    this.command(Operation.Close, reason);
  }

  destroy(): void {
    this.abortFor('local');
  }

  /** Closes at once: the peer does not answer any more. */
  failSilent(): void {
    this.abortFor('reset');
  }

  /** Closes at once: what was received is no valid message, and nothing is owed to those before it. */
  failProtocol(): void {
    this.abortFor('protocol');
  }

  /**
   * Goes on receiving, and closes when the peer ends, or when nothing is owed to it and it has sent nothing for
   * `quiet` ms from now on (0: not for that). The last call counts. One that closes already is hastened by reason `shutdown`:
   * its peer's FIN is not waited for.
   */
  leave(reason: CloseReason, quiet: number): void {
    if (this.state === 'closed') return;
    this.leavesFor = reason;
    this.heldIdle = false;
    this.owner.outbound.leave(this.slot, this.generation, quiet, closeReasonCode(reason));
  }

  /** The peer has ended, and is owed nothing more. */
  finish(): void {
    this.closeFor(this.leavesFor ?? 'peer');
  }

  /** The gate opens: reading begins. */
  admit(): void {
    if (this.state !== 'connecting') return;
    this.state = 'open';
    this.command(Operation.Resume);
  }

  pause(): void {
    if (this.state !== 'open') return;
    this.frames?.pause();
    this.command(Operation.Pause);
  }

  resume(): void {
    if (this.state !== 'open') return;
    this.command(Operation.Resume);
    this.frames?.resume();
  }

  setIdleTimeout(ms: number): void {
    if (!isIntegerIn(ms, 0, MAX_DELAY)) {
      throw refuse('idleTimeout', ms, `an integer from 0 to ${MAX_DELAY} (milliseconds)`);
    }
    if (this.state === 'closed') return;
    this.heldIdle = false;
    this.owner.outbound.setIdleTimeout(this.slot, this.generation, ms);
  }

  /** No reply is owed any more: the idle timeout begins anew, if it passed meanwhile. */
  releaseIdle(): void {
    if (!this.heldIdle) return;
    this.heldIdle = false;
    this.command(Operation.RestartIdle);
  }

  /** How the first frame of its peer shows that this speaks another codec, in words; undefined where it does not. */
  get mismatch(): string | undefined {
    return this.messagesReceived === 0 ? mismatchOf(this.framing, this.badFrame) : undefined;
  }

  /** Bytes that have come so far, those of a frame that is not whole yet included. */
  get bytesArrived(): number {
    return Math.max(this.bytesReceived, this.owner.bytesReceived(this.slot, this.generation));
  }

  /** Whether what its peer sends is still wanted. */
  get receives(): boolean {
    return this.state === 'open' && !this.refused;
  }

  /** Whether what its peer sent, and waits for a handler, is still wanted. */
  get wantsWaiting(): boolean {
    return this.state === 'open' && !this.discards;
  }

  /**
   * What was received is no valid message, and nothing behind it is taken, be it waiting already. What is owed to messages
   * before it may still be sent: the end of its input is told next, and it closes within `closeTimeout`, reason `protocol`.
   *
   * @param cause becomes the {@link GevConnection.closeError}; one that is no {@link GevError} tells why it is no message
   */
  refuseInput(cause: unknown): void {
    this.error ??= cause instanceof GevError ? cause : framingError(cause);
    this.discards = true;
    this.endInput();
  }

  /**
   * As {@link refuseInput}, of what has come last: what waits came before it, and is still handled.
   *
   * @param cause what the application's code made of it; becomes the {@link GevConnection.closeError}
   */
  cutInput(cause: unknown): void {
    if (!this.receives) return;
    this.error = framingError(cause);
    this.endInput();
  }

  // --- what its loop tells it ---

  /** It is about to be announced: the application's framing, if there is one, is made. */
  openFraming(): void {
    try {
      this.encoder = this.frames = this.framing.open(this);
    } catch (error) {
      this.error = framingError(error);
      this.state = 'closing';
    }
  }

  /** It has been announced: without a framing it can be of no use. */
  checkFraming(): void {
    if (this.frames === undefined) this.abortFor('protocol');
  }

  /** The frames that a chunk completes, where the application frames by itself. Those that are wanted are told to `take`. */
  decode(chunk: Buffer, take: (frame: unknown) => void): void {
    this.bytesReceived += chunk.length;
    const frames = this.frames!.decode(chunk);
    for (;;) {
      let next: IteratorResult<unknown, void>;
      try {
        next = frames.next();
      } catch (error) {
        this.cutInput(error);
        return;
      }
      if (next.done === true) break;
      this.messagesReceived++;
      if (!this.watched || this.show(next.value)) take(next.value);
      if (!this.receives) {
        this.abandon(frames);
        return;
      }
    }
    this.frames!.watch(this.owner.limits.incompleteFrameTimeout, (error) => this.cutInput(error));
  }

  /** Returns whether handlers get it, too: it may be an answer, and a subscriber may have closed the connection. */
  handleMessage(data: Buffer): boolean {
    this.bytesReceived += data.length;
    this.messagesReceived++;
    return !this.watched || this.show(data);
  }

  /** As {@link handleMessage}. */
  handleText(text: string, length: number): boolean {
    this.bytesReceived += length;
    this.messagesReceived++;
    return !this.watched || this.show(text);
  }

  /** A frame that is no packet: whether it is the answer to what was asked first. */
  takeNext(frame: unknown): boolean {
    return this.requests !== undefined && this.requests.takeNext(frame);
  }

  takeAnswer(answer: GevAnswer): void {
    if (this.requests?.takeAnswer(answer) !== true) this.dropAnswer();
  }

  dropAnswer(): void {
    this.owner.dropAnswer(this);
  }

  /** An answer of its peer's is awaited. */
  get asking(): boolean {
    return this.requests?.awaiting === true;
  }

  watchFrames(): void {
    this.onAsking?.();
    this.watched = this.requests?.watching === true || this.streams?.messages !== undefined;
  }

  /** Nothing more comes from the peer: who waits for an answer is told why. */
  handleEnd(reason: CloseReason): void {
    this.inputEnd ??= reason;
    this.requests?.failAll(reason, this.closeError);
  }

  /** Its idle timeout has passed: it ends, unless it is owed a reply. */
  handleIdle(): void {
    if (this.pendingReplies > 0) this.heldIdle = true;
    else this.command(Operation.ExpireIdle);
  }

  handleDrain(): void {
    this.congestion = undefined;
    this.streams?.drain();
  }

  /** Its loop is gone: nothing can be sent any more, and its close is about to be told. */
  handleLost(): void {
    if (this.state !== 'closed') this.state = 'closing';
  }

  /** Tells whoever waits for something of it. */
  handleClose(reason: CloseReason, errno: number): void {
    this.state = 'closed';
    this.closeReason = reason;
    this.errno = errno;
    if (errno !== 0) this.error = undefined; // what was to end it came too late
    this.depart(reason);
    const lost = this.flushes;
    this.flushes = undefined;
    this.frames?.stop();
    lost?.fail(() => new GevConnectionClosedError(reason, { cause: this.closeError }));
    this.streams?.close(reason);
  }

  protected override abortFor(reason: CloseReason): void {
    super.abortFor(reason);
    this.depart(reason);
  }

  private depart(reason: CloseReason): void {
    if (this.identity !== undefined) this.owner.identities.release(this);
    this.handleEnd(reason);
  }

  private endInput(): void {
    if (!this.receives) return;
    this.refused = true;
    this.handleEnd('protocol');
    this.command(Operation.RefuseInput);
  }

  /** Nobody wants the frames that are left in a chunk. */
  private abandon(frames: Generator<unknown, void>): void {
    try {
      frames.return();
    } catch (error) {
      this.reportFailure('decode() of a custom framing', error);
    }
  }

  /** To requests before subscribers: what those ask for is not in a frame that has come already. */
  private show(frame: unknown): boolean {
    const taken = this.requests?.take(frame) ?? false;
    const messages = this.streams?.messages;
    if (messages !== undefined && this.receives) {
      messages.next(this.framing.isNestTcp ? Buffer.from(frame as string) : (frame as GevData));
    }
    return !taken && this.receives;
  }

  private openStreams(): ConnectionStreams {
    return (this.streams ??= new ConnectionStreams(this.reporter, this.closeReason));
  }
}
