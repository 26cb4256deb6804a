import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { NativeReactorOptions } from '../native/binding.js';
import { CloseCode, SendFlag } from '../native/layout.js';
import { Deadline } from './deadline.js';
import { FramePace } from './frame-pace.js';
import { TextFramer } from './text-framer.js';

const { EBADMSG, EMSGSIZE, ENOBUFS, ETIMEDOUT } = constants.errno;
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
/** Bytes given to the socket at a time: how far behind the count of what the kernel took may be. */
const PORTION = 64 * 1024;
/** Bytes read at most of a peer when the engine stops reading. */
const FINAL_READ_BUDGET = 1024 * 1024;
/** Of a peer that owes its FIN to an engine that stops. What was sent is the kernel's business by then. */
const SILENCE_MS = 50;

/** What a connection tells. Each call may be made within any of its methods but {@link SocketConnection.send}. */
export interface SocketConnectionOwner {
  readonly options: NativeReactorOptions;
  /** Frames are text. */
  readonly framesText: boolean;
  /** Whether messages may be read. If not, {@link SocketConnection.goOn} is called when they may. */
  takesMessages(connection: SocketConnection): boolean;
  onMessage(connection: SocketConnection, data: Buffer): void;
  /** `bytes`: those of the text on the wire. */
  onText(connection: SocketConnection, text: string, bytes: number): void;
  onEnd(connection: SocketConnection): void;
  onDrain(connection: SocketConnection): void;
  onFlushed(connection: SocketConnection): void;
  onIdle(connection: SocketConnection): void;
  /** Last. */
  onClose(connection: SocketConnection, reason: number, errno: number, tooLong: number): void;
  /** It keeps another number of bytes of an incomplete frame than before. `begun`: of a frame that began just now. */
  onKept(connection: SocketConnection, change: number, begun: boolean): void;
  /** Another number of bytes waits for its peer than before. */
  onWaiting(connection: SocketConnection, change: number): void;
}

type State = 'open' | 'flushing' | 'fin-sent' | 'closed';

/**
 * One established socket of `node:net` with the states, limits and deadlines of native/reactor/connection.h, whose words it
 * uses. Its methods are the operations of a loop's port.
 */
export class SocketConnection {
  state: State = 'open';
  /** Bytes the kernel took. */
  written = 0;
  /** Of an incomplete frame, in the code units that came. */
  kept = 0;
  private readonly framer: TextFramer | undefined;
  private readonly pace = new FramePace();
  private readonly deadline = new Deadline(() => this.onDeadline());
  private queue: (Buffer | string)[] = [];
  private queued = 0; // bytes of it
  private inFlight = 0; // bytes that the socket was given and the kernel has not taken
  private sent = 0;
  /** Of `written`, when that is to be told; -1: nobody asks. */
  private flushTarget = -1;
  private reason: number = CloseCode.local;
  private errno = 0;
  private tooLong = 0;
  private held: Buffer[] = []; // read while nobody wanted it
  private paused: boolean;
  private admitBy = Infinity;
  private closeBy = Infinity;
  private idleTimeout: number;
  private lastActivity = performance.now();
  private receivedBefore = 0; // when the idle timeout was last looked at
  private overHighWater = false;
  private wantsDrain = false;
  private finWanted = false;
  private finSent = false;
  private endSeen = false;
  private endHeld = false; // FIN came behind what is held
  private readLimit = Infinity; // of `received`
  private refused = false;
  private leaving = false;
  private idleAsked = false;
  private hastened = false;
  private silentBy = Infinity;

  constructor(
    private readonly owner: SocketConnectionOwner,
    private readonly socket: Socket,
    readonly slot: number,
    readonly generation: number,
    /** The token of its dial; 0: it was accepted. */
    readonly dial: number,
  ) {
    const { options } = owner;
    this.framer = owner.framesText ? new TextFramer(options.maxFrameLength) : undefined;
    this.paused = options.startPaused;
    this.idleTimeout = options.idleTimeout;
    if (this.paused && options.handshakeTimeout > 0)
      this.admitBy = performance.now() + options.handshakeTimeout;
    socket.unref(); // the engine holds the process, or nobody does
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('end', () => this.onEndOfInput());
    socket.on('error', (error) => this.onError(error));
    socket.on('close', () => this.onSocketClosed());
  }

  /** After it was announced: reading begins. */
  begin(): void {
    this.arm();
    this.updateFlow();
  }

  get received(): number {
    return this.socket.bytesRead;
  }

  /** Bytes that wait in this process. */
  get waiting(): number {
    return this.queued + this.inFlight;
  }

  // --- output ---

  /** Queues; {@link flush} writes. */
  send(data: Buffer | string, bytes: number, flags: number): void {
    if (this.state === 'open' && !this.finWanted && bytes > 0) {
      this.queue.push(data);
      this.queued += bytes;
      this.sent += bytes;
      this.owner.onWaiting(this, bytes);
    }
    if ((flags & SendFlag.NotifyFlushed) !== 0) this.flushTarget = this.sent;
    if ((flags & SendFlag.NotifyDrained) !== 0) this.wantsDrain = true;
  }

  /** Writes what is queued, as far as the kernel takes it; tells what was asked for. */
  flush(): void {
    if (this.state === 'closed') return;
    if (this.flushTarget >= 0 && this.written >= this.flushTarget) this.tellFlushed();
    while (this.inFlight === 0 && this.queue.length > 0 && this.state !== ('closed' as State))
      this.writePortion();
    this.afterOutput();
  }

  shutdownWrite(): void {
    if (this.state !== 'open' || this.finWanted) return;
    this.finWanted = true;
    if (this.waiting === 0) this.onOutputEmpty();
  }

  // --- input ---

  pause(): void {
    this.paused = true;
    this.updateFlow();
  }

  resume(): void {
    this.paused = false;
    this.admitBy = Infinity;
    this.updateFlow();
  }

  /** Messages may be read again. */
  goOn(): void {
    this.updateFlow();
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
    this.dropInput();
    this.closeBy = Math.min(this.closeBy, performance.now() + this.owner.options.closeTimeout);
    this.arm();
    this.updateFlow();
    this.owner.onEnd(this);
  }

  /** What has come already is read, up to a limit. */
  beginFinalRead(): void {
    this.readLimit = this.received + FINAL_READ_BUDGET;
  }

  /** Nothing more is read, though the peer goes on, nor is what nobody has wanted so far handed over. */
  endReading(): void {
    if (this.state !== 'open') return;
    this.readLimit = 0;
    this.held = [];
    this.socket.pause();
  }

  // --- ends ---

  /** Flushes, says FIN, and waits for the peer's within the close timeout. The first reason stays. */
  close(reason: number): void {
    if (reason === CloseCode.shutdown) this.hasten();
    if (this.state !== 'open') return;
    this.state = 'flushing';
    this.reason = reason;
    this.dropInput();
    this.held = [];
    if (!this.refused) this.closeBy = performance.now() + this.owner.options.closeTimeout;
    this.arm();
    this.updateFlow();
    if (this.endHeld) this.onEndOfInput();
    if (this.waiting === 0) this.onOutputEmpty();
  }

  abort(reason: number, errno = 0): void {
    this.finish(reason, errno);
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
    this.idleTimeout = ms;
    this.restartIdle();
  }

  /** Closes for `reason` when nothing was received for `quiet` ms (0: never of itself) and nothing is owed. */
  leave(quiet: number, reason: number): void {
    if (reason === CloseCode.shutdown) this.hasten();
    if (this.state !== 'open') return;
    this.leaving = true;
    this.reason = reason;
    this.idleTimeout = quiet;
    this.restartIdle();
  }

  expireIdle(): void {
    if (this.state !== 'open' || !this.idleAsked) return;
    this.idleAsked = false;
    if (this.isIdle(performance.now())) this.endIdle();
    else this.arm();
  }

  restartIdle(): void {
    if (this.state !== 'open') return;
    this.idleAsked = false;
    this.touch();
    this.arm();
  }

  // --- the rest is between it and its socket ---

  private get mayRead(): boolean {
    return this.mayTake && this.received < this.readLimit;
  }

  /** What was read may be handed over. */
  private get mayTake(): boolean {
    return this.state === 'open' && !this.refused && !this.paused && !this.overHighWater;
  }

  /** While it closes, and once its input is refused, what comes is read and dropped. */
  private get discards(): boolean {
    return this.state !== 'open' || this.refused;
  }

  private onData(chunk: Buffer): void {
    if (this.discards) {
      if (this.silentBy !== Infinity) this.awaitSilence();
      return;
    }
    if (this.paused || this.mayRead) this.touch();
    if (!this.mayRead || !this.owner.takesMessages(this)) {
      // One chunk: whoever sends FIN or a reset behind nothing is heard although nobody reads.
      this.held.push(chunk);
      this.socket.pause();
      return;
    }
    this.take(chunk);
  }

  private take(chunk: Buffer): void {
    if (this.closeBy !== Infinity && this.endHeld) this.awaitEnd();
    if (this.framer === undefined) {
      this.owner.onMessage(this, chunk);
      return;
    }
    const hadBegun = this.framer.kept > 0;
    this.framer.push(chunk);
    this.takeFrames(this.framer, hadBegun);
  }

  private takeFrames(framer: TextFramer, hadBegun: boolean): void {
    let begun = !hadBegun;
    for (;;) {
      const frame = framer.next();
      if (frame === 'incomplete') break;
      if (frame === 'invalid') {
        this.refuseInput(EBADMSG);
        return;
      }
      if ('tooLong' in frame) {
        this.tooLong = Math.min(frame.tooLong, 0xffff_ffff);
        this.refuseInput(EMSGSIZE);
        return;
      }
      begun = true;
      this.owner.onText(this, frame.text, frame.bytes);
      if (this.state !== 'open' || this.refused) return;
    }
    this.keep(framer.kept, begun);
  }

  private keep(kept: number, begun: boolean): void {
    if (kept === 0 && this.kept === 0) return;
    const change = kept - this.kept;
    this.kept = kept;
    this.pace.update(kept, begun, this.received);
    if (kept > 0) this.arm();
    this.owner.onKept(this, change, begun);
  }

  private dropInput(): void {
    this.framer?.clear();
    this.keep(0, false);
  }

  private updateFlow(): void {
    if (this.state === 'closed') return;
    if (!this.mayTake && !this.discards) return; // onData pauses when it has one chunk
    if (this.discards) this.held = [];
    while (this.held.length > 0 && this.mayTake && this.owner.takesMessages(this))
      this.take(this.held.shift()!);
    if (this.state === ('closed' as State)) return;
    if (this.held.length === 0 && this.endHeld) this.onEndOfInput();
    if (this.held.length === 0 && (this.mayRead || this.discards)) this.socket.resume();
  }

  private onEndOfInput(): void {
    if (this.state === 'closed') return;
    if (this.held.length > 0 && !this.discards) {
      this.endHeld = true;
      this.awaitEnd();
      return;
    }
    this.endHeld = false;
    const first = !this.endSeen;
    this.endSeen = true;
    this.dropInput();
    if (this.state === 'fin-sent') this.finish(this.reason, 0);
    else if (this.state === 'open' && first && !this.refused) {
      this.awaitEnd();
      this.owner.onEnd(this);
    }
  }

  private awaitEnd(): void {
    this.closeBy = performance.now() + this.owner.options.halfCloseTimeout;
    this.arm();
  }

  private onError(error: NodeJS.ErrnoException): void {
    if (this.state === 'fin-sent') this.finish(this.reason, 0);
    else {
      const isPeers = PEER_FAILURES.has(error.code ?? '');
      this.finish(isPeers ? CloseCode.reset : CloseCode.error, Math.abs(error.errno ?? 0));
    }
  }

  /** A socket destroys itself when both ends have said FIN. Whoever serves it closes the connection all the same. */
  private onSocketClosed(): void {
    if (this.endSeen && this.finSent) return;
    this.finish(CloseCode.reset, 0);
  }

  private writePortion(): void {
    const { queue } = this;
    let data = queue[0]!;
    let bytes = this.queued;
    if (bytes <= PORTION) {
      if (queue.length > 1) data = joined(queue);
      this.queue = [];
    } else {
      [data, bytes] = this.takePortion();
    }
    this.queued -= bytes;
    this.inFlight = bytes;
    const { socket } = this;
    let told = false;
    const taken = (): void => {
      if (told || this.state === 'closed') return;
      told = true;
      this.onWritten();
    };
    // What the kernel took at once is known before the socket calls back.
    socket.write(data, (error) => {
      if (told || error != null) return;
      taken();
      this.flush();
    });
    // So is what it refused, though the socket counts that as written: the error comes as an event.
    if (socket.writableLength === 0 && !socket.destroyed && socket.errored === null) taken();
  }

  /** The first of a queue that has more than one portion. */
  private takePortion(): [data: Buffer | string, bytes: number] {
    const { queue } = this;
    let count = 0;
    let bytes = 0;
    for (; bytes < PORTION; count++) {
      const size = Buffer.byteLength(queue[count]!);
      if (bytes + size > PORTION) break;
      bytes += size;
    }
    if (count > 0) return [joined(queue.splice(0, count)), bytes];
    const first = queue[0]!;
    const whole = typeof first === 'string' ? Buffer.from(first) : first;
    queue[0] = whole.subarray(PORTION);
    return [whole.subarray(0, PORTION), PORTION];
  }

  private onWritten(): void {
    const { inFlight } = this;
    this.inFlight = 0;
    this.written += inFlight;
    this.owner.onWaiting(this, -inFlight);
    if (!this.owner.options.idleOnReceived && !this.leaving) this.touch();
    if (this.flushTarget >= 0) this.tellFlushed();
  }

  private tellFlushed(): void {
    if (this.written >= this.flushTarget) this.flushTarget = -1;
    this.owner.onFlushed(this);
  }

  private afterOutput(): void {
    if (this.state === 'closed') return;
    const { maxSendBuffer, highWaterMark, lowWaterMark } = this.owner.options;
    const { waiting } = this;
    if (waiting > maxSendBuffer) {
      this.abort(CloseCode.backpressure);
      return;
    }
    if (waiting > highWaterMark) this.overHighWater = true;
    else if (waiting <= lowWaterMark) {
      if (this.overHighWater) {
        this.overHighWater = false;
        this.updateFlow();
      }
      if (this.wantsDrain) {
        this.wantsDrain = false;
        this.owner.onDrain(this);
      }
    }
    if (waiting === 0) this.onOutputEmpty();
  }

  private onOutputEmpty(): void {
    if (this.state === 'flushing') {
      this.sendFin();
      this.state = 'fin-sent';
      if (this.endSeen) this.finish(this.reason, 0);
      else if (this.hastened) this.awaitSilence();
    } else if (this.state === 'open' && this.finWanted) this.sendFin();
  }

  /** The engine stops: the peer's FIN is not waited for. */
  private hasten(): void {
    if (this.hastened) return;
    this.hastened = true;
    if (this.state === 'fin-sent') this.awaitSilence();
  }

  /** Unread bytes would turn the end into a reset, which may cost the peer what it has not read yet. */
  private awaitSilence(): void {
    this.silentBy = performance.now() + SILENCE_MS;
    this.arm();
  }

  private sendFin(): void {
    if (this.finSent) return;
    this.finSent = true;
    this.socket.end();
  }

  private finish(reason: number, errno: number): void {
    if (this.state === 'closed') return;
    if (this.refused) reason = CloseCode.protocol;
    else this.errno = errno;
    this.dropInput();
    this.state = 'closed';
    this.deadline.clear();
    this.owner.onWaiting(this, -this.waiting);
    this.queue = [];
    this.held = [];
    this.queued = this.inFlight = 0;
    this.socket.destroy();
    this.owner.onClose(this, reason, this.errno, this.tooLong);
  }

  private touch(): void {
    if (this.idleTimeout !== 0) this.lastActivity = performance.now();
  }

  /** Activity only moves `lastActivity`; the deadline finds out when it comes. */
  private arm(): void {
    if (this.state === 'closed') return;
    let at = Math.min(this.closeBy, this.silentBy);
    if (this.state === 'open') {
      if (this.idleTimeout !== 0 && !this.idleAsked) at = Math.min(at, this.lastActivity + this.idleTimeout);
      at = Math.min(at, this.admitBy);
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
    const unread = this.held.length > 0 && !this.overHighWater;
    if (unread) this.pace.restart(now, this.received);
    // What the socket itself keeps while nobody reads comes without an event.
    const hasCome = this.paused && this.received > this.receivedBefore;
    this.receivedBefore = this.received;
    if ((unread && !this.paused) || hasCome || this.owesOutput) this.lastActivity = now;
    if (now >= this.admitBy) {
      this.finish(CloseCode.handshake, 0);
      return;
    }
    if (this.kept > 0 && this.pace.isTooSlow(now, this.owner.options.incompleteFrameTimeout, this.received)) {
      this.finish(CloseCode.protocol, ETIMEDOUT);
      return;
    }
    if (this.idleAsked || !this.isIdle(now)) return;
    // A peer that has sent nothing is owed no reply: nobody has to be asked. One that is to leave may be owed the word.
    if (this.received === 0 && !this.leaving) {
      this.endIdle();
      return;
    }
    this.idleAsked = true;
    this.owner.onIdle(this);
  }

  private isIdle(now: number): boolean {
    return this.idleTimeout !== 0 && now >= this.lastActivity + this.idleTimeout && !this.owesOutput;
  }

  private get owesOutput(): boolean {
    return this.leaving && this.waiting > 0;
  }

  private endIdle(): void {
    if (this.leaving) this.close(this.reason);
    else this.finish(CloseCode.idle, 0);
  }
}

/** Given up so that the others stay within their budget. */
export const SHED_ERRNO = ENOBUFS;

function joined(parts: readonly (Buffer | string)[]): Buffer | string {
  return parts.every((part) => typeof part === 'string')
    ? parts.join('')
    : Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
