import type { PlaceSeeker } from '../admission/admission.js';
import type { RpcConnection } from './rpc-connection.js';
import { WaitingLine } from '../admission/waiting-line.js';

/** How many cancellations of requests that wait are remembered. */
const MAX_CANCELLED = 1024;

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

/**
 * The packets of one connection that wait: while as many calls are in flight as may be, or output is above the high-water
 * mark, or for the connection's turn.
 */
export class PacketLine extends WaitingLine<WaitingPacket> implements PlaceSeeker {
  /** Ids of requests that wait here and that the client has cancelled. */
  private readonly cancelled = new Set<unknown>();

  constructor(
    private readonly rpc: RpcConnection,
    maxSize: number,
  ) {
    super(rpc, rpc.turns, maxSize);
  }

  /** Packets wait, and not for the peer to read. */
  get seeking(): boolean {
    return this.length > 0 && !this.rpc.hasPlace();
  }

  override takeTurn(): boolean {
    const more = super.takeTurn();
    if (!more) this.rpc.admission.offer(); // it may have had its turn for a place that it did not need
    return more;
  }

  shed(): void {
    this.rpc.shed();
  }

  /** A request that waits is not to be handled. False: no more of them can be remembered. */
  cancel(id: unknown): boolean {
    if (this.length === 0) return true;
    if (this.cancelled.size === MAX_CANCELLED) return false;
    this.cancelled.add(id);
    return true;
  }

  get holdsCancelled(): boolean {
    return this.cancelled.size > 0;
  }

  /** Whether a request whose turn has come was cancelled. */
  takeCancelled(id: unknown): boolean {
    return this.cancelled.delete(id);
  }

  /** Those who were cancelled have left, too. */
  forgetCancelled(): void {
    if (this.length === 0) this.cancelled.clear();
  }

  /** Packets wait, and there is no place among the calls in flight. */
  seek(): void {
    if (this.seeking) this.rpc.admission.seek(this);
  }
}
