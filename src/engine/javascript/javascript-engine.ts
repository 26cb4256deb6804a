import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import type { NativeAddress, NativeReactorOptions, NativeStats } from '../native/binding.js';
import { inFreshScope } from '../fresh-scope.js';
import type { InboundListener } from '../native/inbound.js';
import { CloseCode, Operation, READ_ON } from '../native/layout.js';
import type { Engine, EngineSetup, LoopPort } from '../engine.js';
import { EventQueue } from './event-queue.js';
import { Outbox, type OutboxRecord } from './outbox.js';
import { RateTimers } from './rate-timers.js';
import { SHED_ERRNO, SocketConnection, type SocketConnectionOwner } from './socket-connection.js';
import { SocketListener } from './socket-listener.js';

const { ECANCELED, ECONNREFUSED, ETIMEDOUT } = constants.errno;
/** A timer that keeps the process: the sockets do not. */
const HOLD_MS = 2 ** 30;

type Command = Extract<OutboxRecord, { readonly kind: 'command' }>;
type Dial = Extract<OutboxRecord, { readonly kind: 'dial' }>;

/** One loop over `node:net`, for systems that the addon does not fit. Whoever listens is not told apart from the native one's. */
export class JavaScriptEngine implements Engine, SocketConnectionOwner {
  readonly kind = 'javascript';
  readonly loopCount = 1;
  readonly options: NativeReactorOptions;
  readonly framesText: boolean;
  /** Nobody else bounds the time that messages take. */
  private readonly pacesMessages: boolean;
  private readonly outbox: Outbox;
  private readonly timers = new RateTimers((id, skipped) =>
    this.tell(() => this.listener.onTimer(id, skipped)),
  );
  private readonly connections: (SocketConnection | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  private readonly generations: number[] = [];
  private readonly dials = new Map<number, Socket>();
  /** Those with an incomplete frame, the one that has it longest first. */
  private readonly incomplete = new Set<SocketConnection>();
  private listener!: InboundListener;
  private server: SocketListener | undefined;
  private holder: NodeJS.Timeout | undefined;
  private open = 0;
  private kept = 0; // code units of incomplete frames
  private waiting = 0; // bytes
  private accepted = 0;
  private refused = 0;
  private quiescing = false;
  private stopped = false;
  private flushScheduled = false;
  private readonly events: EventQueue;
  /** Those that read nothing until no event waits. */
  private readonly heldUp = new Set<SocketConnection>();

  constructor(private readonly setup: EngineSetup) {
    this.options = setup.options;
    this.framesText = setup.delivery === 'text';
    this.pacesMessages = setup.turns() === undefined;
    this.outbox = new Outbox(setup.longestFrame, () => this.scheduleFlush());
    this.events = new EventQueue(setup.turns, {
      onUncaught: (error) => this.listener.onUncaught(error),
      onCaughtUp: () => this.readOn(),
    });
  }

  attach(_loop: number, listener: InboundListener): LoopPort {
    this.listener = listener;
    return this.outbox;
  }

  async listen(host: string, port: number): Promise<NativeAddress> {
    this.server = new SocketListener(
      this.options,
      (socket) => this.accept(socket),
      (errno) => this.tell(() => this.listener.onFailure(0, errno)),
    );
    try {
      const address = await this.server.listen(host, port);
      this.start();
      return address;
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  start(): void {
    this.holder = setInterval(() => undefined, HOLD_MS);
  }

  bytesWritten(_loop: number, slot: number, generation: number): number {
    return this.find(slot, generation)?.written ?? -1;
  }

  bytesReceived(_loop: number, slot: number, generation: number): number {
    return this.find(slot, generation)?.received ?? -1;
  }

  stats(): NativeStats {
    return { accepted: this.accepted, refused: this.refused, connections: [this.open] };
  }

  hold(hold: boolean): void {
    if (hold) this.holder?.ref();
    else this.holder?.unref();
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    clearInterval(this.holder);
    this.events.stop();
    this.timers.clear();
    this.server?.close();
    for (const socket of this.dials.values()) socket.destroy();
    this.dials.clear();
    for (const connection of this.connections) connection?.drop();
    this.connections.length = 0;
  }

  // --- what connections tell ---

  takesMessages(connection: SocketConnection): boolean {
    if (this.events.caughtUp) return true;
    this.heldUp.add(connection);
    return false;
  }

  onMessage({ slot, generation }: SocketConnection, data: Buffer): void {
    this.tell(() => this.listener.onMessage(slot, generation, data), this.pacesMessages);
  }

  onText({ slot, generation }: SocketConnection, text: string, bytes: number): void {
    this.tell(() => this.listener.onText(slot, generation, text, bytes, 0, 0, 0), this.pacesMessages);
  }

  onEnd({ slot, generation }: SocketConnection): void {
    this.tell(() => this.listener.onEnd(slot, generation));
  }

  onDrain({ slot, generation }: SocketConnection): void {
    this.tell(() => this.listener.onDrain(slot, generation));
  }

  onFlushed({ slot, generation, written }: SocketConnection): void {
    this.tell(() => this.listener.onFlushed(slot, generation, written));
  }

  onIdle({ slot, generation }: SocketConnection): void {
    this.tell(() => this.listener.onIdle(slot, generation));
  }

  onClose(connection: SocketConnection, reason: number, errno: number, tooLong: number): void {
    if (this.stopped) return;
    const { slot, generation } = connection;
    this.connections[slot] = undefined;
    this.heldUp.delete(connection);
    this.freeSlots.push(slot);
    this.open--;
    this.tell(() => this.listener.onClose(slot, generation, reason, errno, tooLong));
  }

  onKept(connection: SocketConnection, change: number, begun: boolean): void {
    this.kept += change;
    if (begun || connection.kept === 0) this.incomplete.delete(connection);
    if (connection.kept > 0) this.incomplete.add(connection);
    while (this.kept > this.options.maxPartialBytes) {
      const [oldest] = this.incomplete;
      if (oldest === undefined) return;
      oldest.refuseInput(SHED_ERRNO);
    }
  }

  onWaiting(_connection: SocketConnection, change: number): void {
    this.waiting += change;
  }

  // --- what is asked for ---

  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    // When this turn of Node's loop has brought what it does, so that all of it leaves in one write. In nobody's context: a
    // socket keeps the one it is made in.
    setImmediate(() => inFreshScope(() => this.flush()));
  }

  private flush(): void {
    this.flushScheduled = false;
    if (this.stopped) return;
    const written = new Set<SocketConnection>();
    for (const record of this.outbox.take()) {
      if (this.stopped) return; // by whoever was told something
      this.run(record, written);
    }
    this.flushAll(written);
    this.shedWaiting();
  }

  private flushAll(connections: Set<SocketConnection>): void {
    for (const connection of connections) connection.flush();
    connections.clear();
  }

  private run(record: OutboxRecord, written: Set<SocketConnection>): void {
    switch (record.kind) {
      case 'send': {
        const connection = this.find(record.slot, record.generation);
        connection?.send(record.data, record.bytes, record.flags);
        if (connection !== undefined) written.add(connection);
        break;
      }
      case 'multicast':
        for (let i = 0; i < record.receivers.length; i += 2) {
          const connection = this.find(record.receivers[i]!, record.receivers[i + 1]!);
          connection?.send(record.data, record.data.length, 0);
          if (connection !== undefined) written.add(connection);
        }
        break;
      case 'command':
        this.flushAll(written);
        this.command(record);
        break;
      case 'timer':
        this.timers.start(record.id, record.delay, record.interval);
        break;
      case 'dial':
        this.dial(record);
        break;
    }
  }

  private command(record: Command): void {
    const { operation, slot, generation, argument } = record;
    switch (operation) {
      case Operation.TimerCancel:
        this.timers.cancel(slot);
        return;
      case Operation.TimerDone:
        this.timers.done(slot);
        return;
      case Operation.DialCancel:
        this.failDial(slot, ECANCELED);
        return;
      case Operation.Quiesce:
        void this.quiesce(argument === READ_ON);
        return;
      case Operation.CloseAll:
      case Operation.AbortAll:
        for (const token of [...this.dials.keys()]) this.failDial(token, ECANCELED);
        for (const each of [...this.connections]) {
          if (operation === Operation.AbortAll) each?.abort(argument);
          else each?.close(argument);
        }
        return;
      default: {
        const connection = this.find(slot, generation);
        if (connection !== undefined) this.commandOf(connection, record);
      }
    }
  }

  private commandOf(connection: SocketConnection, { operation, argument, ms }: Command): void {
    switch (operation) {
      case Operation.Close:
        return connection.close(argument);
      case Operation.ShutdownWrite:
        return connection.shutdownWrite();
      case Operation.RefuseInput:
        return connection.refuseInput(0);
      case Operation.Abort:
        return connection.abort(argument);
      case Operation.Pause:
        return connection.pause();
      case Operation.Resume:
        return connection.resume();
      case Operation.SetIdleTimeout:
        return connection.setIdleTimeout(ms);
      case Operation.Leave:
        return connection.leave(ms, argument);
      case Operation.ExpireIdle:
        return connection.expireIdle();
      case Operation.RestartIdle:
        return connection.restartIdle();
    }
  }

  /** The one with most is given up, while more waits for all peers than may. */
  private shedWaiting(): void {
    while (this.waiting > this.options.maxTotalSendBuffer) {
      let most: SocketConnection | undefined;
      for (const each of this.connections) {
        if (each !== undefined && each.waiting > (most?.waiting ?? 0)) most = each;
      }
      if (most === undefined) return;
      most.abort(CloseCode.backpressure, SHED_ERRNO);
    }
  }

  // --- connections ---

  private accept(socket: Socket): void {
    const { maxConnections } = this.options;
    if (this.stopped || (maxConnections > 0 && this.open >= maxConnections)) {
      this.refused++;
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.accepted++;
    this.adopt(socket, 0, this.server?.path);
  }

  /** @param path undefined for TCP */
  private adopt(socket: Socket, dial: number, path: string | undefined): void {
    const { keepAliveDelay } = this.options;
    if (keepAliveDelay > 0) socket.setKeepAlive(true, keepAliveDelay * 1000);
    const slot = this.freeSlots.pop() ?? this.connections.length;
    const generation = (this.generations[slot] ?? 0) + 1;
    this.generations[slot] = generation;
    const connection = new SocketConnection(this, socket, slot, generation, dial);
    this.connections[slot] = connection;
    this.open++;
    const address = path === undefined ? addressesOf(socket) : unixAddresses(path);
    this.tell(() => this.listener.onOpen(slot, generation, ...address, dial));
    if (!this.stopped) connection.begin();
  }

  private find(slot: number, generation: number): SocketConnection | undefined {
    const connection = this.connections[slot];
    return connection?.generation === generation ? connection : undefined;
  }

  private dial({ token, timeout, port, address }: Dial): void {
    const target = port < 0 ? { path: address } : { host: address, port, autoSelectFamily: false };
    const socket = createConnection({ ...target, allowHalfOpen: true, noDelay: this.options.noDelay });
    socket.unref();
    this.dials.set(token, socket);
    const timer =
      timeout > 0 ? setTimeout(() => this.failDial(token, ETIMEDOUT), timeout).unref() : undefined;
    const onError = ({ errno }: NodeJS.ErrnoException): void => this.failDial(token, Math.abs(errno ?? 0));
    socket.on('error', onError);
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => {
      clearTimeout(timer);
      if (this.dials.get(token) !== socket) return;
      // Nobody listens, and the system chose the very port that was dialled for this end.
      if (
        socket.localPort !== undefined &&
        socket.localPort === socket.remotePort &&
        socket.localAddress === socket.remoteAddress
      ) {
        this.failDial(token, ECONNREFUSED);
        return;
      }
      this.dials.delete(token);
      socket.removeListener('error', onError);
      this.adopt(socket, token, port < 0 ? '' : undefined);
    });
  }

  /** Told later: whoever gives up a dial does not expect to be called back at once. */
  private failDial(token: number, errno: number): void {
    const socket = this.dials.get(token);
    if (socket === undefined) return;
    this.dials.delete(token);
    socket.destroy();
    this.tell(() => this.listener.onDialFailed(token, errno));
  }

  // --- listening ---

  /** What the kernel holds has been read when Node's loop has gone round twice and nobody waits to read on. */
  private async quiesce(readsOn: boolean): Promise<void> {
    if (this.quiescing) return;
    this.quiescing = true;
    await turn();
    this.server?.close();
    if (!readsOn) for (const each of this.connections) each?.beginFinalRead();
    for (let quiet = 0; quiet < 2 && !this.stopped;) {
      await turn();
      quiet = readsOn || this.heldUp.size === 0 ? quiet + 1 : 0;
    }
    if (!readsOn) for (const each of this.connections) each?.endReading();
    this.tell(() => this.listener.onQuiesced());
  }

  /** Calls the listener when its turn comes. */
  private tell(call: () => void, paced = true): void {
    if (!this.stopped) this.events.tell(call, paced);
  }

  /** Events have caught up with what was read. */
  private readOn(): void {
    const waiting = [...this.heldUp];
    this.heldUp.clear();
    for (const connection of waiting) connection.goOn();
  }
}

/** As `InboundListener.onOpen` takes them. */
type Addresses = [
  remoteHost: string,
  remotePort: number,
  localHost: string,
  localPort: number,
  family: number,
];

/** An IPv4 peer of a dual-stack server shows as IPv4. */
function addressesOf({
  remoteAddress = '',
  remotePort = 0,
  localAddress = '',
  localPort = 0,
}: Socket): Addresses {
  const remote = plain(remoteAddress);
  return [remote, remotePort, plain(localAddress), localPort, remote.includes(':') ? 6 : 4];
}

function unixAddresses(path: string): Addresses {
  return ['', 0, path, 0, 1];
}

function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
