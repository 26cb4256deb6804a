import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { GevCallEnd } from '../../core/errors.js';
import type { GevPacket } from '../../protocol/packet-format.js';
import type { PacketDispatcher } from './packet-dispatcher.js';
import {
  ForeignPacket,
  FramedPacket,
  PacketLine,
  type PacketLineOwner,
  TextPacket,
  type WaitingPacket,
} from './packet-line.js';
import { RpcPeer, type RpcScope } from './rpc-peer.js';
import type { RpcServer } from './rpc-server.js';

/** What the packets of a connection need of it. */
export interface PacketScope extends RpcScope {
  pauseReading(): void;
  resumeReading(): void;
  overfill(): void;
}

/** Where the packets of one connection come in: each is handled at once, or waits for its turn. */
export class RpcConnection implements PacketLineOwner {
  /** Whom they are from. */
  readonly peer: RpcPeer;
  private readonly dispatcher: PacketDispatcher;
  private readonly line: PacketLine;

  /** @param maxSize code units of packets that may wait before reading pauses */
  constructor(
    private readonly server: RpcServer,
    private readonly scope: PacketScope,
    maxSize: number,
  ) {
    this.dispatcher = server.dispatcherOf(scope.connection.loop);
    this.line = new PacketLine(this, server.turns, server.admission, maxSize);
    this.peer = new RpcPeer(scope, this.line, server);
  }

  get connection(): ReactorConnection {
    return this.scope.connection;
  }

  /** A packet has come. Its parts are known where `route` is not 0. */
  receive(text: string, route: number, dataStart: number, idLength: number): void {
    if (this.line.length === 0 && this.hasRoom() && this.server.turns.mayStart()) {
      this.dispatcher.handle(this.peer, text, route, dataStart, idLength);
    } else if (!this.dispatcher.handleAtOnce(this.peer, text)) {
      this.scope.begin();
      this.line.push(new TextPacket(text, route, dataStart, idLength));
    }
  }

  /** As {@link receive}, in a notation that the reactor does not know. */
  receiveFrame(frame: Buffer | string): void {
    if (this.line.length === 0 && this.hasRoom() && this.server.turns.mayStart()) {
      this.dispatcher.handleFrame(this.peer, frame);
    } else if (!this.dispatcher.handleAtOnce(this.peer, frame)) {
      this.scope.begin();
      this.line.push(new FramedPacket(frame));
    }
  }

  /** A packet has come that a format of the application has read. `size`: bytes of its frame. */
  receiveForeign(packet: GevPacket, size: number): void {
    if (this.line.length === 0 && this.hasRoom() && this.server.turns.mayStart()) {
      this.dispatcher.handleForeign(this.peer, packet);
    } else {
      this.scope.begin();
      this.line.push(new ForeignPacket(packet, size));
    }
  }

  /** The time for answers is over: requests in flight, and those that wait, are told so. */
  expire(error: unknown, end: GevCallEnd = 'shutdown'): void {
    this.peer.expire(error, end);
    this.line.startAll();
  }

  /** The connection has closed. */
  close(): void {
    this.line.drop();
    this.peer.close();
  }

  // --- for the packets that wait ---

  get receives(): boolean {
    return this.connection.wantsWaiting;
  }

  hasRoom(): boolean {
    return this.peer.expired || (!this.connection.congested && this.peer.hasPlace());
  }

  hasPlace(): boolean {
    return this.peer.hasPlace();
  }

  start(packet: WaitingPacket): void {
    try {
      packet.handle(this.dispatcher, this.peer);
    } finally {
      this.peer.forgetCancelled();
      this.scope.complete();
    }
  }

  shed(): void {
    this.peer.shedding = true;
    try {
      this.line.startAll();
    } finally {
      this.peer.shedding = false;
    }
  }

  onNoRoom(): void {
    // Where requests are answered in their order, one that takes its time is no sign of a cycle.
    if (this.server.ordered && !this.server.admission.full) return;
    this.line.seek();
  }

  onDropped(count: number): void {
    this.peer.forgetCancelled();
    this.scope.complete(count);
  }

  pauseReading(): void {
    this.scope.pauseReading();
  }

  resumeReading(): void {
    this.scope.resumeReading();
  }

  overfill(): void {
    this.scope.overfill();
  }
}
