import type { Outgoing } from '../calls/outgoing.js';

/** Requests and events that wait for a connection, first come first served. */
export class WaitingRoom {
  private readonly waiting = new Set<Outgoing>();

  get size(): number {
    return this.waiting.size;
  }

  enter(outgoing: Outgoing): void {
    this.waiting.add(outgoing);
    outgoing.room = this;
  }

  /** One does not wait any longer. */
  leave(outgoing: Outgoing): void {
    this.waiting.delete(outgoing);
    outgoing.room = undefined;
  }

  /** Sends away all but the first so many. */
  dismiss(kept: number): readonly Outgoing[] {
    const leaving = [...this.waiting].slice(kept);
    for (const outgoing of leaving) this.leave(outgoing);
    return leaving;
  }
}
