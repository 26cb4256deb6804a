/** How long one call may bring events, in ms. The call that began in time then lasts no longer than what it last called. */
const CALL_MS = 4;

/**
 * Ends a call that brings events when it has taken long enough, so that Node's loop goes round. What is called there and
 * then shows by the clock; what handlers do in promise jobs, when the call is over, by how long the last one took: as many
 * events are brought as that leaves time for.
 */
export class Pace {
  private began = 0;
  private events = 0;
  private allowance = Infinity;

  /** @param lastTook µs that the last call took, promise jobs included */
  begin(lastTook: number): void {
    if (this.events > 0) this.allowance = Math.max(1, (this.events * CALL_MS * 1000) / Math.max(lastTook, 1));
    this.began = Date.now();
    this.events = 0;
  }

  /** Whether, after so many events, the call is to end. */
  isOver(events: number): boolean {
    return events >= this.allowance || Date.now() - this.began >= CALL_MS;
  }

  /** So many events the call has brought. */
  end(events: number): void {
    this.events = events;
  }
}
