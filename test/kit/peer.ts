import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { onCleanup } from './cleanup.js';
import { until } from './until.js';

/** A plain TCP client. It reads nothing before it is asked to, and is gone with the test. */
export class Peer {
  /** `end` (FIN), `close`, or the code of an error, in the order they came. */
  readonly events: string[] = [];
  private readonly chunks: Buffer[] = [];
  private held = 0;

  private constructor(readonly socket: Socket) {
    socket.on('error', (error: NodeJS.ErrnoException) => this.events.push(error.code ?? error.message));
    socket.on('end', () => this.events.push('end'));
    socket.on('close', () => this.events.push('close'));
    onCleanup(() => socket.destroy());
  }

  /** Connected, and not reading. It answers FIN with FIN unless `allowHalfOpen`. */
  static async connect(target: number | NetConnectOpts, { allowHalfOpen = false } = {}): Promise<Peer> {
    const address = typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target;
    const socket = connect({ ...address, allowHalfOpen });
    const peer = new Peer(socket);
    await once(socket, 'connect');
    socket.pause();
    return peer;
  }

  /** So many, dialled at once. */
  static connectAll(count: number, target: number | NetConnectOpts): Promise<Peer[]> {
    return Promise.all(Array.from({ length: count }, () => Peer.connect(target)));
  }

  get port(): number {
    return this.socket.localPort!;
  }

  get ended(): boolean {
    return this.events.includes('end');
  }

  get closed(): boolean {
    return this.events.includes('close');
  }

  write(data: Uint8Array | string): void {
    this.socket.write(data);
  }

  /** Keeps all that comes from now on, for `take` and `text`. */
  read(): this {
    this.socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.held += chunk.length;
    });
    this.socket.resume();
    return this;
  }

  /** Stops reading again. */
  pause(): void {
    this.socket.removeAllListeners('data');
    this.socket.pause();
  }

  /** Bytes read and not taken. */
  get length(): number {
    return this.held;
  }

  /** The next `length` bytes, as soon as they are there. */
  async take(length: number): Promise<Buffer> {
    await until(() => this.held >= length || this.closed, `${length} bytes`);
    const all = Buffer.concat(this.chunks);
    if (all.length < length) throw new Error(`Closed after ${all.length} of ${length} bytes`);
    this.chunks.splice(0, this.chunks.length, all.subarray(length));
    this.held = all.length - length;
    return all.subarray(0, length);
  }

  async text(length: number): Promise<string> {
    return (await this.take(length)).toString();
  }

  /**
   * Reads to the end without keeping anything.
   *
   * @param pauseEvery bytes after which reading rests for a moment: a slow reader
   */
  async digest(pauseEvery = Infinity): Promise<{ bytes: number; sha256: string }> {
    const hash = createHash('sha256');
    let bytes = 0;
    let due = pauseEvery;
    this.socket.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes < due) return;
      due += pauseEvery;
      this.socket.pause();
      setTimeout(() => this.socket.resume(), 5);
    });
    this.socket.resume();
    await until(() => this.closed, 'the stream ends', 60_000);
    return { bytes, sha256: hash.digest('hex') };
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}
