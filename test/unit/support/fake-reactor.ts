import { isData } from '../../../src/core/values.js';
import type { CloseReason } from '../../../src/core/close-reason.js';
import type { GevConnection } from '../../../src/core/connection.js';
import { GevConnectionClosedError } from '../../../src/core/errors.js';
import type { ReactorOptions } from '../../../src/core/options.js';
import { NO_STATS } from '../../../src/core/reactor-stats.js';
import type { Reactor, ReactorHandler, ReactorTimerHandle } from '../../../src/core/reactor.js';
import { raw } from '../../../src/protocol/raw.js';
import { GevServer } from '../../../src/server/gev.server.js';

export { until } from '../../kit/until.js';

/** A connection without a socket: it keeps what is sent, as text. */
export class FakeConnection {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 50_000;
  readonly data: Record<string, unknown> = {};
  readonly sent: string[] = [];
  state: 'connecting' | 'open' | 'closing' | 'closed' = 'open';
  closeReason: CloseReason | undefined;
  pendingReplies = 0;
  releaseIdle = (): void => undefined;
  context: unknown;
  attachment: unknown;
  readonly listener = { index: 0 };

  constructor(
    readonly id: number,
    private readonly reactor: FakeReactor,
  ) {}

  get receives(): boolean {
    return this.state === 'open';
  }

  get wantsWaiting(): boolean {
    return this.receives;
  }

  send(data: Uint8Array | string): boolean {
    if (this.state === 'closing' || this.state === 'closed') throw new GevConnectionClosedError();
    this.sent.push(typeof data === 'string' ? data : Buffer.from(data).toString());
    return true;
  }

  transmit(data: Uint8Array | string): boolean {
    return this.send(data);
  }

  takes(data: unknown): boolean {
    return isData(data);
  }

  close(): void {
    if (this.state === 'closed' || this.state === 'closing') return;
    this.state = 'closing';
    setImmediate(() => this.reactor.drop(this, 'local'));
  }

  /** The same object under the type that the code under test knows. */
  get real(): GevConnection {
    return this as unknown as GevConnection;
  }
}

class FakeTimer implements ReactorTimerHandle {
  runs = 0;
  skipped = 0;
  active = true;
  private busy = false;

  constructor(
    readonly ms: number,
    private readonly fn: () => unknown,
    private readonly once: boolean,
    private readonly overlap: boolean,
  ) {}

  cancel(): void {
    this.active = false;
  }

  /** The time has come. */
  async tick(): Promise<void> {
    if (!this.active) return;
    if (this.busy && !this.overlap) {
      this.skipped++;
      return;
    }
    if (this.once) this.active = false;
    this.runs++;
    this.busy = true;
    await this.fn();
    this.busy = false;
  }
}

/** Stands in for the native reactor: tests play the kernel's part. */
export class FakeReactor {
  readonly connections = new Map<number, GevConnection>();
  readonly timers: FakeTimer[] = [];
  readonly calls: string[] = [];
  listenError: Error | undefined;
  private nextId = 1;

  constructor(
    readonly options: Pick<ReactorOptions, 'gateConnections'>,
    readonly handler: ReactorHandler,
  ) {}

  /** A peer connects. */
  open(): FakeConnection {
    const connection = new FakeConnection(this.nextId++, this);
    if (this.options.gateConnections) connection.state = 'connecting';
    this.connections.set(connection.id, connection.real);
    this.handler.onOpen(connection.real);
    return connection;
  }

  /** A peer sends messages. */
  deliver(connection: FakeConnection, ...messages: string[]): void {
    for (const message of messages) this.handler.onMessage(connection.real, Buffer.from(message));
  }

  /** A peer sends FIN. */
  end(connection: FakeConnection): void {
    this.handler.onEnd(connection.real);
  }

  /** A connection is gone. */
  drop(connection: FakeConnection, reason: CloseReason): void {
    if (connection.state === 'closed') return;
    connection.state = 'closed';
    connection.closeReason = reason;
    this.connections.delete(connection.id);
    this.handler.onClose(connection.real);
  }

  listen = async () => {
    this.calls.push('listen');
    await Promise.resolve();
    if (this.listenError !== undefined) throw this.listenError;
    return { address: '127.0.0.1', port: 1833, family: 'IPv4' as const };
  };

  address = () => ({ address: '127.0.0.1', port: 1833, family: 'IPv4' as const });

  admit = (connection: FakeConnection) => {
    this.calls.push(`admit ${connection.id}`);
    connection.state = 'open';
  };

  finish = (connection: FakeConnection) => {
    this.calls.push(`finish ${connection.id}`);
    connection.state = 'closing';
    setImmediate(() => this.drop(connection, 'peer'));
  };

  refuse = (connection: FakeConnection) => connection.close();
  pause = (connection: FakeConnection) => void this.calls.push(`pause ${connection.id}`);
  resume = (connection: FakeConnection) => void this.calls.push(`resume ${connection.id}`);

  broadcast = (data: string, filter: (connection: GevConnection) => boolean = () => true) => {
    const receivers = [...this.connections.values()].filter(filter);
    for (const receiver of receivers) receiver.send(data);
    return receivers.length;
  };

  stopAccepting = async () => void this.calls.push('stopAccepting');
  whenEmpty = async () => this.connections.size === 0;
  quiesce = async () => void this.calls.push('quiesce');

  closeAll = async () => {
    this.calls.push('closeAll');
    for (const connection of this.connections.values())
      this.drop(connection as unknown as FakeConnection, 'shutdown');
  };

  stop = async () => void this.calls.push('stop');

  runEvery = (ms: number, fn: () => unknown, options: { overlap?: boolean } = {}) =>
    this.addTimer(new FakeTimer(ms, fn, false, options.overlap ?? false));

  runAfter = (ms: number, fn: () => unknown) => this.addTimer(new FakeTimer(ms, fn, true, false));

  stats = () => ({ ...NO_STATS, accepted: this.nextId - 1, open: this.connections.size });

  private addTimer(timer: FakeTimer): FakeTimer {
    this.timers.push(timer);
    return timer;
  }
}

/** A server on a {@link FakeReactor}, and the log lines it writes. */
export class FakeServer extends GevServer {
  readonly lines: string[];
  reactors: FakeReactor[] = [];
  nextListenError: Error | undefined;

  constructor(options: ConstructorParameters<typeof GevServer>[0] = {}) {
    const lines: string[] = [];
    const log = (message: unknown): void => void lines.push(String(message));
    super({ codec: raw(), logger: { log, warn: log, error: log }, ...options });
    this.lines = lines;
  }

  get reactor(): FakeReactor {
    return this.reactors.at(-1)!;
  }

  protected override createReactor(...args: ConstructorParameters<typeof Reactor>): Reactor {
    const reactor = new FakeReactor(...args);
    reactor.listenError = this.nextListenError;
    this.reactors.push(reactor);
    return reactor as unknown as Reactor;
  }

  start(): Promise<unknown> {
    return new Promise((resolve, reject) =>
      this.listen((error, address) => (error === undefined ? resolve(address) : reject(error))),
    );
  }
}

/** Time for whatever should not happen to happen. */
export function settle(ms = 20): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
