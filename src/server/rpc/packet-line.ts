import type { Admission, PlaceSeeker } from '../admission/admission.js';
import type { Turns } from '../admission/turns.js';
import type { GevPacket } from '../../protocol/packet-format.js';
import { type LineOwner, WaitingLine } from '../admission/waiting-line.js';
import type { PacketDispatcher } from './packet-dispatcher.js';
import type { RpcPeer } from './rpc-peer.js';

/** A packet that waits. */
export interface WaitingPacket {
  /** Code units of its text, or bytes. */
  readonly length: number;
  /** Its turn has come. */
  handle(dispatcher: PacketDispatcher, peer: RpcPeer): void;
}

/** A packet of Nest's, and its parts as far as they are known. */
export class TextPacket implements WaitingPacket {
  constructor(
    private readonly text: string,
    private readonly route: number,
    private readonly dataStart: number,
    private readonly idLength: number,
  ) {}

  get length(): number {
    return this.text.length;
  }

  handle(dispatcher: PacketDispatcher, peer: RpcPeer): void {
    dispatcher.handle(peer, this.text, this.route, this.dataStart, this.idLength);
  }
}

/** A packet of Nest's in a notation that the reactor does not know. */
export class FramedPacket implements WaitingPacket {
  constructor(private readonly frame: Buffer | string) {}

  get length(): number {
    return this.frame.length;
  }

  handle(dispatcher: PacketDispatcher, peer: RpcPeer): void {
    dispatcher.handleFrame(peer, this.frame);
  }
}

/** A packet that a format of the application has read. */
export class ForeignPacket implements WaitingPacket {
  constructor(
    private readonly packet: GevPacket,
    readonly length: number,
  ) {}

  handle(dispatcher: PacketDispatcher, peer: RpcPeer): void {
    dispatcher.handleForeign(peer, this.packet);
  }
}

/** Whose packets wait. */
export interface PacketLineOwner extends LineOwner<WaitingPacket> {
  /** Fewer calls are in flight than may be. */
  hasPlace(): boolean;
  /** Answers the requests that wait with an error; events among them are handled. */
  shed(): void;
}

/**
 * The packets of one connection that wait: while as many calls are in flight as may be, or output is above the high-water
 * mark, or for the connection's turn.
 */
export class PacketLine extends WaitingLine<WaitingPacket> implements PlaceSeeker {
  constructor(
    protected override readonly owner: PacketLineOwner,
    turns: Turns,
    private readonly admission: Admission,
    maxSize: number,
  ) {
    super(owner, turns, maxSize);
  }

  /** Packets wait, and not for the peer to read. */
  get seeking(): boolean {
    return this.length > 0 && !this.owner.hasPlace();
  }

  override takeTurn(): boolean {
    const more = super.takeTurn();
    if (!more) this.admission.offer(); // it may have had its turn for a place that it did not need
    return more;
  }

  shed(): void {
    this.owner.shed();
  }

  /** Packets wait, and there is no place among the calls in flight. */
  seek(): void {
    if (this.seeking) this.admission.seek(this);
  }
}
