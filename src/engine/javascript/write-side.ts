import type { Socket } from 'node:net';
import { SendFlag } from '../loop-port.js';
import type { EngineOptions } from '../engine-options.js';

/** Bytes given to the socket at a time: how far behind the count of what the kernel took may be. */
const PORTION = 64 * 1024;

/** What a {@link WriteSide} tells. Each call may be made within any of its methods but {@link WriteSide.send}. */
export interface WriteSideOwner {
  /** The kernel took some. */
  onWritten(): void;
  onDrain(): void;
  onFlushed(): void;
  /** More waits than the high-water mark, or no more than the low one again. */
  onHighWater(isOver: boolean): void;
  /** More waits than may. */
  onOverflow(): void;
  /** FIN has been said. */
  onOutputEnded(): void;
}

/** Bytes that wait for the peers of all connections. */
export interface OutputBudget {
  waiting: number;
}

/**
 * - `open`: takes what is sent
 * - `ending`: takes no more, and says FIN when what waits is written
 * - `ended`: FIN has been said
 * - `closed`: with its connection
 */
type State = 'open' | 'ending' | 'ended' | 'closed';

/** What is sent to one peer, until the kernel has taken it. */
export class WriteSide {
  state: State = 'open';
  /** Bytes the kernel took. */
  written = 0;
  private queue: (Buffer | string)[] = [];
  private queued = 0; // bytes of it
  private inFlight = 0; // bytes that the socket was given and the kernel has not taken
  private sent = 0;
  /** Of `written`, when that is to be told; -1: nobody asks. */
  private flushTarget = -1;
  private wantsDrain = false;
  private overHighWater = false;

  constructor(
    private readonly owner: WriteSideOwner,
    private readonly socket: Socket,
    private readonly options: EngineOptions,
    private readonly budget: OutputBudget,
  ) {}

  /** Bytes that wait in this process. */
  get waiting(): number {
    return this.queued + this.inFlight;
  }

  /** Queues; {@link flush} writes. */
  send(data: Buffer | string, bytes: number, flags: number): void {
    if (this.state === 'open' && bytes > 0) {
      this.queue.push(data);
      this.queued += bytes;
      this.sent += bytes;
      this.budget.waiting += bytes;
    }
    if ((flags & SendFlag.NotifyFlushed) !== 0) this.flushTarget = this.sent;
    if ((flags & SendFlag.NotifyDrained) !== 0) this.wantsDrain = true;
  }

  /** Writes what is queued, as far as the kernel takes it; tells what was asked for. */
  flush(): void {
    if (this.isClosed) return;
    if (this.flushTarget >= 0 && this.written >= this.flushTarget) this.tellFlushed();
    while (this.inFlight === 0 && this.queue.length > 0 && !this.isClosed) this.writePortion();
    this.afterOutput();
  }

  /** Says FIN when what waits is written. Tells each caller, at once where it has been said. */
  end(): void {
    if (this.state === 'open') this.state = 'ending';
    if (!this.isClosed && this.waiting === 0) this.sayFin();
  }

  /** What waits is given up. */
  close(): void {
    this.budget.waiting -= this.waiting;
    this.queue = [];
    this.queued = this.inFlight = 0;
    this.state = 'closed';
  }

  /** A getter: TypeScript believes that what it knows of `state` still holds behind a call. */
  private get isClosed(): boolean {
    return this.state === 'closed';
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
      if (told || this.isClosed) return;
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
    this.budget.waiting -= inFlight;
    this.owner.onWritten();
    if (this.flushTarget >= 0) this.tellFlushed();
  }

  private tellFlushed(): void {
    if (this.written >= this.flushTarget) this.flushTarget = -1;
    this.owner.onFlushed();
  }

  private afterOutput(): void {
    if (this.isClosed) return;
    const { maxSendBuffer, highWaterMark, lowWaterMark } = this.options;
    const { waiting } = this;
    if (waiting > maxSendBuffer) {
      this.owner.onOverflow();
      return;
    }
    if (waiting > highWaterMark) this.setOverHighWater(true);
    else if (waiting <= lowWaterMark) {
      this.setOverHighWater(false);
      if (this.wantsDrain && !this.isClosed) {
        this.wantsDrain = false;
        this.owner.onDrain();
      }
    }
    if (waiting === 0 && this.state === 'ending') this.sayFin();
  }

  private setOverHighWater(isOver: boolean): void {
    if (this.overHighWater === isOver) return;
    this.overHighWater = isOver;
    this.owner.onHighWater(isOver);
  }

  private sayFin(): void {
    if (this.state === 'ending') {
      this.state = 'ended';
      this.socket.end();
    }
    this.owner.onOutputEnded();
  }
}

function joined(parts: readonly (Buffer | string)[]): Buffer | string {
  return parts.every((part) => typeof part === 'string')
    ? parts.join('')
    : Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
