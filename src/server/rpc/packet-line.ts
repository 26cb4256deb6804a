import type { Admission, PlaceSeeker } from '../admission/admission.js';
import type { Turns } from '../admission/turns.js';
import { type LineOwner, WaitingLine } from '../admission/waiting-line.js';

/** A packet that waits, and its parts as far as they are known. */
export class WaitingPacket {
  constructor(
    readonly text: string,
    readonly route: number,
    readonly dataStart: number,
    readonly idLength: number,
  ) {}

  get length(): number {
    return this.text.length;
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
