import { type GevContext, type GevContextArgs, MessageContext } from '../../context/gev.context.js';
import type { CloseReason } from '../../core/close-reason.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Reactor } from '../../core/reactor.js';
import { isAnswer } from '../../core/requests.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import type { GevAnswer, GevPacket, GevPacketFormat } from '../../protocol/packet-format.js';
import { OVERAGE } from '../../protocol/nest-json/vocabulary.js';
import { sizeOf } from '../admission/message-queue.js';
import type { OverflowPolicy } from '../admission/overflow-gate.js';
import type { Turns } from '../admission/turns.js';
import type { WaitGroup } from '../admission/wait-group.js';
import { type LineOwner, WaitingLine } from '../admission/waiting-line.js';
import { patternOf } from '../handlers/handler-marker.js';
import { type PacketScope, RpcConnection } from '../rpc/rpc-connection.js';
import type { StreamLimit } from '../rpc/rpc-stream.js';
import type { Ageing } from './connection-ages.js';
import type { ConnectionHandler } from './connection-handlers.js';
import type { ConnectionProtocol } from './connection-protocol.js';
import type { ConnectionReports } from './connection-reports.js';
import type { HandlerStream } from './handler-stream.js';
import { Intake } from './intake.js';
import { type LaneScope, MessageLane } from './message-lane.js';

/** Why a server asks a peer to go. */
export type LeaveReason = Extract<CloseReason, 'shutdown' | 'age'>;

/** What the connections of a server share. */
export interface ConnectionHost {
  readonly reactor: Pick<Reactor, 'finish' | 'pause' | 'resume'>;
  readonly messageHandlers: readonly ConnectionHandler[];
  /** What becomes of the messages of a connection. */
  protocolOf(connection: ReactorConnection): ConnectionProtocol;
  /** Bytes of waiting messages above which reading from a connection pauses. */
  readonly maxQueuedBytes: number;
  readonly overflow: OverflowPolicy;
  /** What streams that begin from now on are allowed; undefined: to go on without end. */
  readonly streamLimit: StreamLimit | undefined;
  /** Whether an error is meant for callers, whoever throws it. */
  expects(error: unknown): boolean;
  /** Handlers that are at work, and messages that wait for one. */
  readonly work: WaitGroup;
  /** Who starts handlers, and when. */
  readonly turns: Turns;
  readonly reports: ConnectionReports;
}

/**
 * How long nothing must have come from a peer that was asked to go, and is owed nothing, before it hears FIN. Not where the
 * peer is known to hang up by itself: however long it is silent, it may not have read yet that it is to go.
 */
const QUIET_MS = 500;

/**
 * What the server keeps of one connection beside the connection itself: the messages that wait, the handlers at work and
 * the Observables subscribed. A message holds one lane for each `@OnMessage` handler.
 *
 * The counts: `active` lanes are held by messages; `connection.pendingReplies` lanes still owe a reply, those of waiting
 * messages and of Observables that go on included.
 */
export class ConnectionScope implements LineOwner<unknown>, LaneScope, PacketScope, Ageing {
  /** Settles, never rejects, when all `@OnConnect` handlers have; undefined where there are none. */
  connecting: Promise<void> | undefined;
  closed = false;
  /** The RPC side of this connection, where the codec carries packets. */
  readonly rpc: RpcConnection | undefined;

  private readonly protocol: ConnectionProtocol;
  private readonly lanes: readonly MessageLane[];
  private readonly contextArgs: GevContextArgs;
  private readonly line: WaitingLine<unknown>;
  private streams: Set<HandlerStream> | undefined;
  private active = 0;
  private gated = false;
  private leavesFor: LeaveReason | undefined;
  /** The peer is asked to go. */
  asked = false;
  private ended = false;
  private madeIntake: Intake | undefined;

  constructor(
    readonly connection: ReactorConnection,
    private readonly host: ConnectionHost,
  ) {
    const { turns, maxQueuedBytes, messageHandlers } = host;
    this.protocol = host.protocolOf(connection);
    const { rpc } = this.protocol;
    this.line = new WaitingLine(this, turns, maxQueuedBytes);
    this.lanes = messageHandlers.map((handler) => new MessageLane(this, handler));
    this.contextArgs = [connection, patternOf('message')];
    this.rpc = rpc === undefined ? undefined : new RpcConnection(rpc, this, maxQueuedBytes);
  }

  /** For one call of a message handler. */
  context(): GevContext {
    return new MessageContext(this.contextArgs);
  }

  /** Whether an error is meant for callers, whoever throws it. */
  expects(error: unknown): boolean {
    return this.host.expects(error);
  }

  /** A message has come that the reactor has not looked into. */
  take(message: unknown): void {
    const { format, observed } = this.protocol;
    if (format !== undefined) this.read(format, message);
    else if (observed) this.takePacket(message as Buffer | string);
    else this.receive(message);
  }

  /** A packet of Nest's has come. Its parts are known where `route` is not 0. */
  takeText(text: string, route: number, dataStart: number, idLength: number): void {
    if (!this.protocol.scanned) {
      this.take(text);
      return;
    }
    if (this.lanes.length > 0) this.receive(Buffer.from(text));
    this.rpc!.receive(text, route, dataStart, idLength);
  }

  /** A packet of Nest's has come in a notation that the reactor does not know. */
  private takePacket(frame: Buffer | string): void {
    if (this.lanes.length > 0) this.receive(Buffer.from(frame as Buffer));
    this.rpc!.receiveFrame(frame);
  }

  /** A message has come for `@OnMessage` handlers. */
  private receive(message: unknown): void {
    const count = this.lanes.length;
    if (count === 0 || this.closed) return;
    this.connection.pendingReplies += count;
    this.host.work.add(count);
    if (this.line.length === 0 && this.hasRoom() && this.host.turns.mayStart()) this.start(message);
    // Borrowed memory is the reactor's again before a waiting message's turn comes.
    else this.line.push(this.protocol.borrowed ? Buffer.from(message as Buffer) : message);
  }

  /** A handler has settled and lets the next message pass. */
  release(): void {
    this.active--;
    this.line.goOn();
  }

  /** A handler has begun that owes a reply; {@link complete} is its end. */
  begin(): void {
    this.owe(1);
  }

  pauseReading(): void {
    this.intake.fill();
  }

  resumeReading(): void {
    this.intake.drain();
  }

  overfill(): void {
    this.intake.update();
  }

  /** What the peer sends from now on is not taken. */
  stopReading(): void {
    this.intake.stop();
  }

  /** Nothing more will be written for one handler's message, or for so many. */
  complete(count = 1): void {
    this.owe(-count);
    this.finishWhenDone();
  }

  /** Sends what a handler returned. Nobody is left to receive it once the connection has closed. */
  reply(value: unknown, handler: ConnectionHandler): void {
    if (value === undefined || value === null) return;
    if (this.protocol.observed) {
      this.host.reports.dropReply(handler);
      return;
    }
    try {
      if (this.connection.takes(value)) this.connection.transmit(value);
      else this.host.reports.unsendable(this.connection, handler, value);
    } catch (error) {
      this.host.reports.unsent(this.connection, handler, error);
    }
  }

  /** Stops the stream when the connection closes, if it has not ended before. */
  hold(stream: HandlerStream): void {
    if (this.closed) stream.stop();
    else (this.streams ??= new Set()).add(stream);
  }

  letGo(stream: HandlerStream): void {
    this.streams?.delete(stream);
  }

  /** Asks the peer to go, when it has been admitted; goes on serving it meanwhile. */
  leave(reason: LeaveReason): void {
    // Once the server stops, that is why it goes.
    if (this.closed || this.leavesFor === 'shutdown') return;
    this.leavesFor = reason;
    if (!this.gated || this.connection.state === 'closing') this.ask();
  }

  /** How long the peer may be quiet counts from now on. */
  awaitQuiet(): void {
    if (this.leavesFor !== undefined)
      this.connection.leave(this.leavesFor, this.rpc?.peer.hangsUp ? 0 : QUIET_MS);
  }

  onAge(): void {
    this.leave('age');
  }

  onLate(): void {
    this.finishSoon();
  }

  onVeryLate(): void {
    this.stopReading();
  }

  onOverage(): void {
    inFreshScope(() => {
      this.rpc?.expire(OVERAGE, 'lost');
      this.connection.closeFor(this.leavesFor ?? 'age');
    });
  }

  /** Ends streams that had brought a value before streams were limited. */
  endOldStreams(limit: StreamLimit): void {
    this.rpc?.peer.endOldStreams(limit);
    for (const stream of [...(this.streams ?? [])]) inFreshScope(() => stream.endOld());
  }

  /** `@OnConnect` handlers are at work: the connection is not to be finished under them. */
  gate(): void {
    this.gated = true;
  }

  openGate(): void {
    this.gated = false;
    if (this.leavesFor !== undefined) this.ask();
    this.finishWhenDone();
  }

  /** The peer speaks another codec: one word in this one's, by which a client of ours knows what is wrong. */
  farewell(): void {
    inFreshScope(() => this.rpc?.peer.goAway());
  }

  /** Nothing more comes, as the peer has sent FIN or nonsense: the connection ends with the last reply. */
  end(): void {
    this.rpc?.peer.end();
    this.finishSoon();
  }

  /** The connection ends with the last reply that is owed. */
  finishSoon(): void {
    this.ended = true;
    this.finishWhenDone();
  }

  /** The connection has closed: drops what waits, unsubscribes from what goes on. */
  close(): void {
    this.closed = true;
    this.line.drop();
    this.rpc?.close();
    for (const stream of [...(this.streams ?? [])]) inFreshScope(() => stream.stop());
  }

  get receives(): boolean {
    return this.connection.wantsWaiting;
  }

  /** What handlers return would only add to output that the peer has yet to read. */
  hasRoom(): boolean {
    return !this.connection.congested && this.active <= (this.protocol.concurrency - 1) * this.lanes.length;
  }

  start(message: unknown): void {
    const { lanes } = this;
    this.active += lanes.length;
    for (let index = 0; index < lanes.length; index++) lanes[index]!.run(message);
  }

  onDropped(messages: number): void {
    this.owe(-messages * this.lanes.length);
  }

  get overflow(): OverflowPolicy {
    return this.host.overflow;
  }

  get streamLimit(): StreamLimit | undefined {
    return this.host.streamLimit;
  }

  reportFailure(handler: ConnectionHandler, error: unknown): void {
    this.host.reports.failure(this.connection, handler, error);
  }

  /** The teardown of an Observable that a handler returned has thrown. */
  reportTeardown(error: unknown): void {
    this.host.reports.teardown(this.connection, error);
  }

  private read(format: GevPacketFormat<unknown>, message: unknown): void {
    let packet: GevPacket | GevAnswer | undefined;
    try {
      packet = format.read(message, this.connection);
    } catch (error) {
      this.connection.cutInput(error);
      return;
    }
    // Answers to our own requests wait for nobody: who awaits one may be the handler that all others wait for.
    if (packet === undefined) {
      if (!this.connection.takeNext(message)) this.receive(message);
    } else if (isAnswer(packet)) this.connection.takeAnswer(packet);
    else this.rpc!.receiveForeign(packet, sizeOf(message));
  }

  private get intake(): Intake {
    const { connection, host } = this;
    return (this.madeIntake ??= new Intake(connection, host.reactor, host.maxQueuedBytes));
  }

  private ask(): void {
    this.awaitQuiet();
    if (this.asked) return;
    this.asked = true;
    // A serializer is not to see who stops the server.
    if (this.connection.receives) inFreshScope(() => this.rpc?.peer.goAway());
  }

  private owe(lanes: number): void {
    const { connection } = this;
    connection.pendingReplies += lanes;
    if (connection.pendingReplies === 0) connection.releaseIdle();
    this.host.work.done(-lanes);
  }

  private finishWhenDone(): void {
    if (!this.ended || this.gated || this.closed || this.connection.pendingReplies > 0) return;
    this.ended = false;
    this.host.reactor.finish(this.connection);
  }
}
