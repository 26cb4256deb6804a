import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { NativeAddress, NativeReactor } from '../native/binding.js';
import { inFreshScope } from '../native/fresh-scope.js';
import { Operation } from '../native/layout.js';
import { MAX_SHARED_PAYLOAD } from '../native/outbound.js';
import type { GevAddress } from './address.js';
import { closeReasonCode } from './close-reason.js';
import type { GevConnection, GevData } from './connection.js';
import { DEFAULT_BACKLOG, DEFAULT_HOST, DEFAULT_PORT } from './constants.js';
import {
  GevAlreadyListeningError,
  type GevError,
  GevHandlerError,
  GevListenError,
  GevNativeError,
} from './errors.js';
import { createNativeReactor } from './native-reactor.js';
import type { AcceptOptions, ReactorOptions } from './options.js';
import { assertDialable, connectError, type DialTarget, ReactorDials } from './reactor-dials.js';
import { ReactorLoop, type ReactorLoopOwner } from './reactor-loop.js';
import { type ReactorTimerHandle, ReactorTimers } from './reactor-timers.js';

export type { DialTarget } from './reactor-dials.js';
export type { ReactorTimerHandle } from './reactor-timers.js';

/** What a {@link Reactor} tells whoever uses it. Of one connection: open, messages, end, close, in this order. */
export interface ReactorHandler {
  /** After accept, or when a dial has connected. With `gateConnections` nothing is read from it until {@link Reactor.admit}. */
  onOpen(connection: GevConnection): void;
  /** One chunk or frame; the Buffer is the receiver's to keep. */
  onMessage(connection: GevConnection, data: Buffer): void;
  /**
   * Instead of `onMessage` where frames are text (`nest-json`): the content of one frame. If it is written as
   * `{"pattern":…,"data":…,"id":"…"}`, its pattern has a number of this loop's, the `route`, its data begins at `dataStart`
   * and its id has `idLength` characters; else these are 0.
   */
  onText(connection: GevConnection, text: string, route: number, dataStart: number, idLength: number): void;
  /** The peer sent FIN and its last message was delivered. Call {@link Reactor.finish} when no reply is pending. */
  onEnd(connection: GevConnection): void;
  /** Exactly once, and last. */
  onClose(connection: GevConnection): void;
  /** Something worth a log line that belongs to no connection. */
  onError(error: GevError): void;
}

/** Counters of a {@link Reactor} since listen. */
export interface ReactorStats {
  readonly accepted: number;
  /** Closed at accept: over `maxConnections`, or for lack of file descriptors. */
  readonly refused: number;
  readonly open: number;
  readonly loops: readonly { readonly connections: number }[];
}

/** For a reactor that only dials. */
const ACCEPT_DEFAULTS: AcceptOptions = {
  host: DEFAULT_HOST,
  port: DEFAULT_PORT,
  path: undefined,
  backlog: DEFAULT_BACKLOG,
  reusePort: false,
  ipv6Only: false,
  loadBalance: 'round-robin',
  maxConnections: 0,
  gateConnections: false,
  handshakeTimeout: 0,
};
/** How long connections that were cut may take to say so. */
const ABORT_GRACE_MS = 1000;

/**
 * The native loops of one server or client behind a typed face, without Nest. Listens or starts once; make another to
 * do so again.
 *
 * @publicApi
 */
export class Reactor implements ReactorLoopOwner {
  /** @internal */
  readonly open = new Map<number, GevConnection>();
  /** @internal */
  closing = false;
  private readonly loops: ReactorLoop[] = [];
  private readonly options: ReactorOptions & AcceptOptions;
  private readonly dials = new ReactorDials();
  private nextDialLoop = 0;
  private native: NativeReactor | undefined;
  private timers: ReactorTimers | undefined;
  private bound: GevAddress | null = null;
  private stopped = false;
  private flushScheduled = false;
  private onEmpty: (() => void) | undefined;

  constructor(
    options: ReactorOptions,
    /** @internal */
    readonly handler: ReactorHandler,
  ) {
    this.options = { ...ACCEPT_DEFAULTS, ...options };
  }

  /** Open connections by id. */
  get connections(): ReadonlyMap<number, GevConnection> {
    return this.open;
  }

  /**
   * Binds, listens and starts the loops.
   *
   * @throws GevListenError with the system's code; GevNativeError when the addon is missing
   */
  async listen(): Promise<GevAddress> {
    const { path, port } = this.options;
    const host = path ?? (await this.resolveHost());
    if (this.stopped) throw new GevListenError('ECANCELED', { address: host, port, path });
    const native = this.createNative();
    try {
      // The addon keeps the context it is started in: nobody's.
      this.bound = toAddress(inFreshScope(() => native.listen(host, path === undefined ? port : -1)));
    } catch (error) {
      this.loops.length = 0;
      const { code, errno, syscall } = error as NodeJS.ErrnoException;
      throw new GevListenError(
        code ?? 'EUNKNOWN',
        { address: path === undefined ? this.options.host : undefined, port, path },
        { cause: error, errno: errno === undefined ? undefined : -errno, syscall },
      );
    }
    this.begin(native);
    return this.bound;
  }

  /**
   * Starts the loops without a listener, instead of {@link Reactor.listen}: for one that only dials.
   *
   * @throws GevNativeError (as rejection) when the addon is missing or the system refuses threads or descriptors
   */
  start(): Promise<void> {
    return new Promise((resolve) => resolve(this.startLoops()));
  }

  /**
   * Connects, on one loop after the other. The connection is announced by {@link ReactorHandler.onOpen} before this
   * resolves.
   *
   * @param timeout in ms; 0: as long as the system tries
   * @param signal gives up when it aborts
   * @throws GevConnectError (as rejection) with the system's code; `ECANCELED` when it was aborted or the reactor stops
   */
  async dial(target: DialTarget, timeout: number, signal?: AbortSignal): Promise<GevConnection> {
    assertDialable(target, timeout);
    if (this.native === undefined || this.closing || signal?.aborted === true) {
      throw connectError('ECANCELED', target, { cause: signal?.reason as unknown });
    }
    const { outbound } = this.loops[this.nextDialLoop++ % this.loops.length]!;
    return this.dials.dial(outbound, target, timeout, signal);
  }

  /** Where it listens; null before and after. */
  address(): GevAddress | null {
    return this.bound;
  }

  /** Opens the gate of a connection: it becomes `open` and is read from. */
  admit(connection: GevConnection): void {
    connection.admit();
  }

  /** Closes a connection that was not admitted. */
  refuse(connection: GevConnection): void {
    connection.close();
  }

  /** After `onEnd`: no reply is pending any more. Flushes and closes, reason `peer`. */
  finish(connection: GevConnection): void {
    connection.closeFor('peer');
  }

  /** Stops reading from a connection; what the kernel holds makes its peer wait. */
  pause(connection: GevConnection): void {
    connection.pause();
  }

  /** Goes on reading from a connection. */
  resume(connection: GevConnection): void {
    connection.resume();
  }

  /**
   * Sends the same bytes to every open connection, or to those the filter picks.
   *
   * @returns how many
   */
  broadcast(data: GevData, filter?: (connection: GevConnection) => boolean): number {
    const bytes = this.encode(data);
    const receivers: number[][] = this.loops.map(() => []);
    let count = 0;
    for (const connection of this.open.values()) {
      if (connection.state !== 'open' || (filter !== undefined && !filter(connection))) continue;
      if (!connection.countBroadcast(bytes.length)) continue;
      receivers[connection.loop]!.push(connection.slot, connection.generation);
      count++;
    }
    if (bytes.length > 0) {
      this.loops.forEach((loop, index) => this.broadcastOn(loop, bytes, receivers[index]!));
    }
    return count;
  }

  /**
   * Stops accepting and, once everything the kernel already holds has been delivered, stops reading. Resolves with the
   * delivery of the last such message.
   */
  async quiesce(): Promise<void> {
    const [accepting, ...others] = this.loops;
    if (accepting === undefined || this.native === undefined) return;
    // First the loop that accepts: it may still hand connections to the others.
    await this.quiesceLoop(accepting);
    await Promise.all(others.map((loop) => this.quiesceLoop(loop)));
  }

  /** Closes every connection, reason `shutdown`, and gives up every dial; what is not closed after `timeout` ms is cut. */
  async closeAll(timeout: number): Promise<void> {
    if (this.native === undefined) return;
    this.closing = true;
    this.dials.cancelAll();
    for (const connection of this.open.values()) connection.closeFor('shutdown');
    if (await this.whenEmpty(timeout)) return;
    for (const loop of this.loops) {
      loop.outbound.command(Operation.AbortAll, 0, 0, closeReasonCode('shutdown'));
    }
    await this.whenEmpty(ABORT_GRACE_MS);
  }

  /** Joins the loops and releases every descriptor. Idempotent. */
  stop(): Promise<void> {
    this.stopped = true;
    this.timers?.stop();
    const { native } = this;
    if (native === undefined) return Promise.resolve();
    this.dials.cancelAll();
    this.native = undefined;
    this.bound = null;
    native.stop();
    for (const loop of this.loops) loop.abandon();
    return Promise.resolve();
  }

  /** Runs `fn` once, `ms` milliseconds from now. Only while listening. */
  runAfter(ms: number, fn: () => unknown): ReactorTimerHandle {
    return this.requireTimers().start(ms, 0, false, fn);
  }

  /** Runs `fn` every `ms` milliseconds at a fixed rate. Ticks during an unsettled run are skipped unless `overlap`. */
  runEvery(ms: number, fn: () => unknown, options?: { readonly overlap?: boolean }): ReactorTimerHandle {
    return this.requireTimers().start(ms, ms, options?.overlap ?? false, fn);
  }

  /** Counters since listen. */
  stats(): ReactorStats {
    const stats = this.native?.stats() ?? { accepted: 0, refused: 0, connections: [] };
    return {
      accepted: stats.accepted,
      refused: stats.refused,
      open: this.open.size,
      loops: stats.connections.map((connections) => ({ connections })),
    };
  }

  /** @internal */
  onDialled(token: number, connection: GevConnection): boolean {
    return this.dials.onDialled(token, connection);
  }

  /** @internal */
  onDialFailed(token: number, errno: number): void {
    this.dials.onFailed(token, errno);
  }

  /** @internal */
  onTimer(id: number, skipped: number): void {
    this.timers?.onTick(id, skipped);
  }

  /** @internal */
  onConnectionClosed(): void {
    if (this.open.size === 0) this.onEmpty?.();
  }

  /** The bytes of a broadcast, framed where the codec frames. */
  private encode(data: GevData): Uint8Array {
    if (this.options.codec.framing === 'raw') return typeof data === 'string' ? Buffer.from(data) : data;
    const text = typeof data === 'string' ? data : Buffer.from(data).toString();
    return Buffer.from(`${text.length}#${text}`);
  }

  private async resolveHost(): Promise<string> {
    const { host, port } = this.options;
    if (isIP(host.split('%', 1)[0]!) !== 0) return host;
    try {
      return (await lookup(host)).address;
    } catch (error) {
      const { code, errno, syscall } = error as NodeJS.ErrnoException;
      throw new GevListenError(
        code ?? 'ENOTFOUND',
        { address: host, port },
        { cause: error, errno, syscall },
      );
    }
  }

  private startLoops(): void {
    if (this.stopped || this.native !== undefined) {
      throw new GevAlreadyListeningError('A reactor starts once: make another one');
    }
    const native = this.createNative();
    try {
      inFreshScope(() => native.start());
    } catch (error) {
      this.loops.length = 0;
      const { errno, syscall, message } = error as NodeJS.ErrnoException;
      throw new GevNativeError(`The loops do not start: ${message}`, {
        cause: error,
        errno: errno === undefined ? undefined : -errno,
        syscall,
      });
    }
    this.begin(native);
  }

  private begin(native: NativeReactor): void {
    this.native = native;
    this.timers = new ReactorTimers(this.loops[0]!.outbound, (error) =>
      this.handler.onError(new GevHandlerError('A timer failed', { cause: error })),
    );
  }

  private createNative(): NativeReactor {
    const { options } = this;
    const { native, memory } = createNativeReactor(options, (loop, slab, from, to) =>
      this.loops[loop]!.read(slab, from, to),
    );
    const scheduleFlush = (): void => this.scheduleFlush();
    memory.forEach((each, index) => {
      this.loops.push(new ReactorLoop(index, this, native, each, options, scheduleFlush));
    });
    return native;
  }

  /** Hands over what was written outside of a batch, after the promise jobs and ticks of the current turn. */
  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    queueMicrotask(() =>
      process.nextTick(() => {
        this.flushScheduled = false;
        this.native?.flush();
      }),
    );
  }

  private broadcastOn(loop: ReactorLoop, bytes: Uint8Array, receivers: readonly number[]): void {
    if (bytes.length <= MAX_SHARED_PAYLOAD) {
      loop.outbound.multicast(bytes, receivers);
      return;
    }
    for (let i = 0; i < receivers.length; i += 2) {
      loop.outbound.send(receivers[i]!, receivers[i + 1]!, bytes, 0);
    }
  }

  private quiesceLoop(loop: ReactorLoop): Promise<void> {
    const quiesced = loop.onceQuiesced();
    loop.outbound.command(Operation.Quiesce);
    return quiesced;
  }

  /** Whether the last connection closed in time. */
  private whenEmpty(timeout: number): Promise<boolean> {
    if (this.open.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), timeout);
      const settle = (empty: boolean): void => {
        clearTimeout(timer);
        this.onEmpty = undefined;
        resolve(empty);
      };
      this.onEmpty = () => settle(true);
    });
  }

  private requireTimers(): ReactorTimers {
    if (this.timers === undefined) throw new GevHandlerError('Timers of a reactor begin after listen()');
    return this.timers;
  }
}

function toAddress({ address, port, family }: NativeAddress): GevAddress {
  return family === 1 ? { path: address } : { address, port, family: family === 4 ? 'IPv4' : 'IPv6' };
}
