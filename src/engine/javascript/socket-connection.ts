import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { Deadline } from './deadline.js';
import { errnoOf } from './errno.js';
import { FramePace } from '../frame-pace.js';
import { IdleClock } from './idle-clock.js';
import type { FrameKeeper, PartialFrames } from './partial-frames.js';
import { type MessageSink, ReadSide, type ReadSideOwner } from './read-side.js';
import { type OutputBudget, WriteSide, type WriteSideOwner } from './write-side.js';
import { CloseCode } from '../inbound-listener.js';
import type { EngineFraming, EngineOptions } from '../engine-options.js';

const { ENOBUFS, EPROTO, ETIMEDOUT } = constants.errno;
/** What a vanished peer causes. */
const PEER_FAILURES = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'ENOTCONN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
]);
/** Of a peer that owes its FIN to an engine that stops. What was sent is the kernel's business by then. */
const SILENCE_MS = 50;

/** Whom a connection belongs to. It may be told within any of the connection's methods. */
export interface SocketConnectionOwner extends MessageSink {
  readonly options: EngineOptions;
  readonly partialFrames: PartialFrames;
  readonly outputBudget: OutputBudget;
  onEnd(connection: SocketConnection): void;
  onDrain(connection: SocketConnection): void;
  onFlushed(connection: SocketConnection): void;
  onIdle(connection: SocketConnection): void;
  /** Last. */
  onClose(connection: SocketConnection, reason: number, errno: number, badFrame: number): void;
}

type State = 'open' | 'flushing' | 'fin-sent' | 'closed';

/**
 * One established socket of `node:net` with the states, limits and deadlines of native/reactor/connection.h, whose words it
 * uses. Its methods, and those of its two sides, are the operations of a loop's port.
 */
export class SocketConnection implements ReadSideOwner, WriteSideOwner, FrameKeeper {
  readonly input: ReadSide;
  readonly output: WriteSide;
  private state: State = 'open';
  private reason: number = CloseCode.local;
  private errno = 0;
  /** See {@link InboundListener.onClose}. */
  badFrame = 0;
  private refused = false;
  private leaving = false;
  private hastened = false;
  private readonly idle: IdleClock;
  private readonly pace = new FramePace();
  private receivedBefore = 0; // when the idle timeout was last looked at
  private readonly deadline = new Deadline(() => this.onDeadline());
  private admitBy = Infinity;
  private closeBy = Infinity;
  private silentBy = Infinity;

  constructor(
    private readonly owner: SocketConnectionOwner,
    private readonly socket: Socket,
    framing: EngineFraming,
    readonly slot: number,
    readonly generation: number,
    /** The token of its dial; 0: it was accepted. */
    private readonly dial: number,
  ) {
    const { options, outputBudget } = owner;
    const { startPaused, handshakeTimeout, idleTimeout } = options;
    this.idle = new IdleClock(idleTimeout);
    if (startPaused && handshakeTimeout > 0) this.admitBy = performance.now() + handshakeTimeout;
    socket.unref(); // the engine holds the process, or nobody does
    this.input = new ReadSide(this, owner, socket, framing, startPaused);
    this.output = new WriteSide(this, socket, options, outputBudget);
    socket.on('error', (error) => this.onError(error));
    socket.on('close', () => this.onSocketClosed());
  }

  /** After it was announced: reading begins. */
  begin(): void {
    this.arm();
    this.input.goOn();
  }

  /** FIN after what is sent by now; the peer may go on. */
  shutdownWrite(): void {
    if (this.state === 'open') this.output.end();
  }

  resume(): void {
    this.admitBy = Infinity;
    this.input.resume();
  }

  /** What came is no message, and `errno` says why; 0: the other side knows. */
  refuseInput(errno: number): void {
    if (this.state !== 'open' || this.refused) return;
    if (this.dial !== 0) {
      this.abort(CloseCode.protocol, errno);
      return;
    }
    this.refused = true;
    this.errno = errno;
    this.closeBy = Math.min(this.closeBy, performance.now() + this.owner.options.closeTimeout);
    this.input.discard();
    this.arm();
    this.owner.onEnd(this);
  }

  // --- ends ---

  /** Flushes, says FIN, and waits for the peer's within the close timeout. The first reason stays. */
  close(reason: number): void {
    if (reason === CloseCode.shutdown) this.hasten();
    if (this.state !== 'open') return;
    this.state = 'flushing';
    this.reason = reason;
    if (!this.refused) this.closeBy = performance.now() + this.owner.options.closeTimeout;
    this.input.discard();
    this.arm();
    this.output.end();
  }

  abort(reason: number, errno = 0): void {
    this.finish(reason, errno);
  }

  /** More waits for all peers than may, and most of it for this one. */
  shedOutput(): void {
    this.abort(CloseCode.backpressure, ENOBUFS);
  }

  /** For an engine that stops: nothing is told any more. */
  drop(): void {
    this.state = 'closed';
    this.deadline.clear();
    this.socket.destroy();
  }

  // --- idleness ---

  setIdleTimeout(ms: number): void {
    if (this.leaving) return;
    this.idle.setTimeout(ms);
    this.restartIdle();
  }

  /** Closes for `reason` when nothing was received for `quiet` ms (0: never of itself) and nothing is owed. */
  leave(quiet: number, reason: number): void {
    if (reason === CloseCode.shutdown) this.hasten();
    if (this.state !== 'open') return;
    this.leaving = true;
    this.reason = reason;
    this.idle.setTimeout(quiet);
    this.restartIdle();
  }

  expireIdle(): void {
    if (this.state !== 'open' || !this.idle.asked) return;
    this.idle.asked = false;
    if (this.isIdle(performance.now())) this.endIdle();
    else this.arm();
  }

  restartIdle(): void {
    if (this.state !== 'open') return;
    this.idle.restart();
    this.arm();
  }

  // --- told by its sides ---

  get kept(): number {
    return this.input.kept;
  }

  giveUpFrame(): void {
    this.refuseInput(ENOBUFS);
  }

  onActivity(): void {
    this.idle.touch();
  }

  onDiscarded(): void {
    if (this.silentBy !== Infinity) this.awaitSilence();
  }

  onBadInput(errno: number, badFrame: number): void {
    this.badFrame = badFrame;
    this.refuseInput(errno);
  }

  onKept(change: number, begun: boolean): void {
    const { kept, received } = this.input;
    this.pace.update(kept, begun, received);
    if (kept > 0) this.arm();
    this.owner.partialFrames.update(this, change, begun);
  }

  onEndHeld(): void {
    this.awaitEnd();
  }

  onEndOfInput(): void {
    if (this.state === 'fin-sent') this.finish(this.reason, 0);
    else if (this.state === 'open' && !this.refused) {
      this.awaitEnd();
      this.owner.onEnd(this);
    }
  }

  onWritten(): void {
    if (!this.owner.options.idleOnReceived && !this.leaving) this.idle.touch();
  }

  onDrain(): void {
    this.owner.onDrain(this);
  }

  onFlushed(): void {
    this.owner.onFlushed(this);
  }

  onHighWater(isOver: boolean): void {
    this.input.throttle(isOver);
  }

  onOverflow(): void {
    this.abort(CloseCode.backpressure);
  }

  onOutputEnded(): void {
    if (this.state !== 'flushing') return;
    this.state = 'fin-sent';
    if (this.input.end === 'seen') this.finish(this.reason, 0);
    else if (this.hastened) this.awaitSilence();
  }

  // --- told by its socket ---

  private onError(error: NodeJS.ErrnoException): void {
    if (this.state === 'fin-sent') this.finish(this.reason, 0);
    else {
      const { code = '' } = error;
      if (code.startsWith('ERR_SSL_')) this.finish(CloseCode.protocol, EPROTO);
      else this.finish(PEER_FAILURES.has(code) ? CloseCode.reset : CloseCode.error, errnoOf(error));
    }
  }

  /** A socket destroys itself when both ends have said FIN. Whoever serves it closes the connection all the same. */
  private onSocketClosed(): void {
    if (this.input.end === 'seen' && this.output.state === 'ended') return;
    this.finish(CloseCode.reset, 0);
  }

  private finish(reason: number, errno: number): void {
    if (this.state === 'closed') return;
    if (this.refused) reason = CloseCode.protocol;
    else this.errno = errno;
    this.input.close();
    this.output.close();
    this.state = 'closed';
    this.deadline.clear();
    this.socket.destroy();
    this.owner.onClose(this, reason, this.errno, this.badFrame);
  }

  /** The engine stops: the peer's FIN is not waited for. */
  private hasten(): void {
    if (this.hastened) return;
    this.hastened = true;
    if (this.state === 'fin-sent') this.awaitSilence();
  }

  // --- deadlines ---

  private awaitEnd(): void {
    this.closeBy = performance.now() + this.owner.options.halfCloseTimeout;
    this.arm();
  }

  /** Unread bytes would turn the end into a reset, which may cost the peer what it has not read yet. */
  private awaitSilence(): void {
    this.silentBy = performance.now() + SILENCE_MS;
    this.arm();
  }

  /** Activity only moves the idle deadline; it finds out when it comes. */
  private arm(): void {
    if (this.state === 'closed') return;
    let at = Math.min(this.closeBy, this.silentBy);
    if (this.state === 'open') {
      at = Math.min(at, this.idle.deadline, this.admitBy);
      const { incompleteFrameTimeout } = this.owner.options;
      if (this.kept > 0 && incompleteFrameTimeout > 0)
        at = Math.min(at, this.pace.deadline(incompleteFrameTimeout));
    }
    this.deadline.set(at);
  }

  private onDeadline(): void {
    const now = performance.now();
    if (now >= this.closeBy) {
      this.finish(this.state === 'open' ? CloseCode.peer : this.reason, 0);
      return;
    }
    if (now >= this.silentBy) {
      this.finish(this.reason, 0);
      return;
    }
    if (this.state === 'open') this.onOpenDeadline(now);
    this.arm();
  }

  private onOpenDeadline(now: number): void {
    const { received, holdsMessages, isPaused } = this.input;
    if (holdsMessages) this.pace.restart(now, received);
    // What the socket itself keeps while nobody reads comes without an event.
    const hasCome = isPaused && received > this.receivedBefore;
    this.receivedBefore = received;
    if ((holdsMessages && !isPaused) || hasCome || this.owesOutput) this.idle.lastActivity = now;
    if (now >= this.admitBy) {
      this.finish(CloseCode.handshake, 0);
      return;
    }
    if (this.kept > 0 && this.pace.isTooSlow(now, this.owner.options.incompleteFrameTimeout, received)) {
      this.finish(CloseCode.protocol, ETIMEDOUT);
      return;
    }
    if (this.idle.asked || !this.isIdle(now)) return;
    // A peer that has sent nothing is owed no reply: nobody has to be asked. One that is to leave may be owed the word.
    if (received === 0 && !this.leaving) {
      this.endIdle();
      return;
    }
    this.idle.asked = true;
    this.owner.onIdle(this);
  }

  private isIdle(now: number): boolean {
    return this.idle.isOver(now) && !this.owesOutput;
  }

  private get owesOutput(): boolean {
    return this.leaving && this.output.waiting > 0;
  }

  private endIdle(): void {
    if (this.leaving) this.close(this.reason);
    else this.finish(CloseCode.idle, 0);
  }
}
