import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { inFreshScope } from '../fresh-scope.js';
import type { InboundListener } from '../inbound-listener.js';
import { addressesOf, unixAddresses } from './addresses.js';
import type { AccessRules } from '../address-ranges.js';
import { ConnectionTable } from './connection-table.js';
import { Dialer, type DialerOwner } from './dialer.js';
import { Entrance } from './entrance.js';
import { EventQueue } from './event-queue.js';
import { Outbox, type OutboxRecord } from './outbox.js';
import { PartialFrames } from './partial-frames.js';
import { RateTimers } from './rate-timers.js';
import type { ReadSide } from './read-side.js';
import { SocketConnection, type SocketConnectionOwner } from './socket-connection.js';
import { SocketListener } from './socket-listener.js';
import { openingTlsOf, TlsAcceptor, TlsDialer } from './tls-sockets.js';
import type { WriteSide } from './write-side.js';
import type { EngineTls } from '../engine-tls.js';
import { type LoopPort, Operation, READ_ON } from '../loop-port.js';
import type { EngineFraming, EngineOptions } from '../engine-options.js';
import type { Engine, EngineAddress, EngineSetup, EngineStats } from '../engine.js';

/** A timer that keeps the process: the sockets do not. */
const HOLD_MS = 2 ** 30;

/** Where a connection comes from. */
interface Origin {
  /** 0 for what was dialled. */
  readonly listener: number;
  /** Undefined for TCP. */
  readonly path: string | undefined;
  readonly framing: EngineFraming;
}

type Command = Extract<OutboxRecord, { readonly kind: 'command' }>;

/** One loop over `node:net`, for systems that the addon does not fit. Whoever listens is not told apart from the native one's. */
export class JavaScriptEngine implements Engine, SocketConnectionOwner, DialerOwner {
  readonly kind = 'javascript';
  readonly loopCount = 1;
  readonly options: EngineOptions;
  readonly partialFrames: PartialFrames;
  readonly outputBudget = { waiting: 0 };
  /** Nobody else bounds the time that messages take. */
  private readonly pacesMessages: boolean;
  private readonly outbox: Outbox;
  private readonly timers = new RateTimers((id, skipped) =>
    this.tell(() => this.listener.onTimer(id, skipped)),
  );
  private readonly connections = new ConnectionTable<SocketConnection>();
  private readonly dialer: Dialer;
  private readonly events: EventQueue;
  /** Those that read nothing until no event waits. */
  private readonly heldUp = new Set<ReadSide>();
  private listener!: InboundListener;
  /** In the order in which they were asked for. */
  private readonly servers: SocketListener[] = [];
  /** Of each of them: who shakes hands; undefined: nobody. */
  private readonly acceptors: (TlsAcceptor | undefined)[] = [];
  private holder: NodeJS.Timeout | undefined;
  private readonly entrance: Entrance;
  private quiescing = false;
  private stopped = false;
  private flushScheduled = false;

  constructor(private readonly setup: EngineSetup) {
    const { options } = setup;
    this.options = options;
    this.entrance = new Entrance(
      options,
      () => this.acceptors.reduce((sum, acceptor) => sum + (acceptor?.pending ?? 0), this.connections.size),
      (news) => this.tell(() => this.listener.onRefused(news)),
    );
    this.partialFrames = new PartialFrames(options.maxPartialBytes);
    this.pacesMessages = setup.turns() === undefined;
    this.outbox = new Outbox(setup.longestFrame, () => this.scheduleFlush());
    this.dialer = new Dialer(this, options.noDelay, options.dialTls && new TlsDialer(options.dialTls));
    this.events = new EventQueue(setup.turns, {
      onUncaught: (error) => this.listener.onUncaught(error),
      onCaughtUp: () => this.readOn(),
    });
  }

  attach(_loop: number, listener: InboundListener): LoopPort {
    this.listener = listener;
    return this.outbox;
  }

  /**
   * As {@link Engine} has it. May be called for several addresses; when one cannot be had, all are given up.
   *
   * @param framing of what is accepted there
   */
  async listen(host: string, port: number, framing: EngineFraming, tls?: EngineTls): Promise<EngineAddress> {
    const index = this.servers.length;
    const origin = (): Origin => ({ listener: index, path: server.path, framing });
    const acceptor =
      tls &&
      new TlsAcceptor(tls, this.options.handshakeTimeout, {
        onSecured: (socket) => this.adopt(socket, 0, origin()),
        onFailed: (...refusal) => this.entrance.refusals.count(...refusal),
      });
    this.acceptors.push(acceptor);
    const server = new SocketListener(
      this.options,
      (socket) => this.accept(socket, origin(), acceptor),
      (errno) => this.tell(() => this.listener.onFailure(0, errno)),
    );
    this.servers.push(server);
    try {
      return await server.listen(host, port);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  setTls(listener: number, tls: EngineTls): void {
    this.acceptors[listener]!.setTls(tls);
  }

  setAccess(rules: AccessRules): void {
    this.entrance.setRules(rules);
  }

  start(): void {
    this.holder ??= setInterval(() => undefined, HOLD_MS);
  }

  bytesWritten(_loop: number, slot: number, generation: number): number {
    return this.connections.find(slot, generation)?.output.written ?? -1;
  }

  bytesReceived(_loop: number, slot: number, generation: number): number {
    return this.connections.find(slot, generation)?.input.received ?? -1;
  }

  stats(): EngineStats {
    return {
      accepted: this.entrance.accepted,
      refusals: this.entrance.refusals.counts,
      connections: [this.connections.size],
    };
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
    this.closeServers();
    for (const acceptor of this.acceptors) acceptor?.stop();
    this.dialer.stop();
    for (const connection of this.connections.all()) connection.drop();
  }

  // --- what connections and dials tell ---

  takesMessages(reader: ReadSide): boolean {
    if (this.events.caughtUp) return true;
    this.heldUp.add(reader);
    return false;
  }

  onMessage(slot: number, generation: number, data: Buffer): void {
    this.tell(() => this.listener.onMessage(slot, generation, data), this.pacesMessages);
  }

  onText(slot: number, generation: number, text: string, bytes: number): void {
    this.tell(() => this.listener.onText(slot, generation, text, bytes, 0, 0, 0), this.pacesMessages);
  }

  onEnd({ slot, generation, badFrame }: SocketConnection): void {
    this.tell(() => this.listener.onEnd(slot, generation, badFrame));
  }

  onDrain({ slot, generation }: SocketConnection): void {
    this.tell(() => this.listener.onDrain(slot, generation));
  }

  onFlushed({ slot, generation, output: { written } }: SocketConnection): void {
    this.tell(() => this.listener.onFlushed(slot, generation, written));
  }

  onIdle({ slot, generation }: SocketConnection): void {
    this.tell(() => this.listener.onIdle(slot, generation));
  }

  onClose(connection: SocketConnection, reason: number, errno: number, badFrame: number): void {
    if (this.stopped) return;
    const { slot, generation, input } = connection;
    this.connections.delete(connection);
    this.heldUp.delete(input);
    this.tell(() => this.listener.onClose(slot, generation, reason, errno, badFrame));
  }

  onConnected(socket: Socket, token: number, path: '' | undefined): void {
    this.adopt(socket, token, { listener: 0, path, framing: this.options.framing });
  }

  /** Told later: whoever gives up a dial does not expect to be called back at once. */
  onDialFailed(token: number, errno: number): void {
    this.tell(() => this.listener.onDialFailed(token, errno));
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
    const written = new Set<WriteSide>();
    for (const record of this.outbox.take()) {
      if (this.stopped) return; // by whoever was told something
      this.run(record, written);
    }
    this.flushAll(written);
    this.shedWaiting();
  }

  private flushAll(outputs: Set<WriteSide>): void {
    for (const output of outputs) output.flush();
    outputs.clear();
  }

  private run(record: OutboxRecord, written: Set<WriteSide>): void {
    switch (record.kind) {
      case 'send': {
        const output = this.connections.find(record.slot, record.generation)?.output;
        output?.send(record.data, record.bytes, record.flags);
        if (output !== undefined) written.add(output);
        break;
      }
      case 'multicast':
        for (let i = 0; i < record.receivers.length; i += 2) {
          const output = this.connections.find(record.receivers[i]!, record.receivers[i + 1]!)?.output;
          output?.send(record.data, record.data.length, 0);
          if (output !== undefined) written.add(output);
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
        this.dialer.dial(record);
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
        this.dialer.cancel(slot);
        return;
      case Operation.Quiesce:
        void this.quiesce(argument === READ_ON);
        return;
      case Operation.CloseAll:
      case Operation.AbortAll:
        this.dialer.cancelAll();
        for (const each of this.connections.all()) {
          if (operation === Operation.AbortAll) each.abort(argument);
          else each.close(argument);
        }
        return;
      default: {
        const connection = this.connections.find(slot, generation);
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
        return connection.input.pause();
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
    while (this.outputBudget.waiting > this.options.maxTotalSendBuffer) {
      let most: SocketConnection | undefined;
      for (const each of this.connections.all()) {
        if (each.output.waiting > (most?.output.waiting ?? 0)) most = each;
      }
      if (most === undefined) return;
      most.shedOutput();
    }
  }

  // --- connections ---

  private accept(socket: Socket, origin: Origin, acceptor: TlsAcceptor | undefined): void {
    if (this.stopped) socket.destroy();
    else if (this.entrance.admit(socket, addressesOf(socket).remoteHost)) {
      if (acceptor === undefined) this.adopt(socket, 0, origin);
      else acceptor.take(socket);
    }
  }

  private adopt(socket: Socket, dial: number, { listener, path, framing }: Origin): void {
    if (this.stopped) {
      socket.destroy();
      return;
    }
    const { keepAliveDelay } = this.options;
    if (keepAliveDelay > 0) socket.setKeepAlive(true, keepAliveDelay * 1000);
    const connection = this.connections.add(
      (slot, generation) => new SocketConnection(this, socket, framing, slot, generation, dial),
    );
    const { slot, generation } = connection;
    const addresses = path === undefined ? addressesOf(socket) : unixAddresses(path);
    this.tell(() =>
      this.listener.onOpen({ slot, generation, ...addresses, dial, listener, tls: openingTlsOf(socket) }),
    );
    if (!this.stopped) connection.begin();
  }

  // --- listening ---

  /** What the kernel holds has been read when Node's loop has gone round twice and nobody waits to read on. */
  private async quiesce(readsOn: boolean): Promise<void> {
    if (this.quiescing) return;
    this.quiescing = true;
    await turn();
    this.closeServers();
    if (!readsOn) for (const each of this.connections.all()) each.input.beginFinalRead();
    for (let quiet = 0; quiet < 2 && !this.stopped;) {
      await turn();
      quiet = readsOn || this.heldUp.size === 0 ? quiet + 1 : 0;
    }
    if (!readsOn) for (const each of this.connections.all()) each.input.stop();
    this.tell(() => this.listener.onQuiesced());
  }

  private closeServers(): void {
    for (const server of this.servers) server.close();
  }

  /** Calls the listener when its turn comes. */
  private tell(call: () => void, paced = true): void {
    if (!this.stopped) this.events.tell(call, paced);
  }

  /** Events have caught up with what was read. */
  private readOn(): void {
    const waiting = [...this.heldUp];
    this.heldUp.clear();
    for (const reader of waiting) reader.goOn();
  }
}
