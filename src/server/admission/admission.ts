import { debug } from '../../core/debug.js';
import type { TurnTaker, Turns } from './turns.js';

/** A connection with requests that wait for a place among the calls in flight. */
export interface PlaceSeeker extends TurnTaker {
  /** It still waits for a place. */
  readonly seeking: boolean;
  /** Answers the requests that wait: the server is overloaded. */
  shed(): void;
}

/** How long requests wait while no call ends. */
const PATIENCE_MS = 2_000;
const LOOKS = 4;

/**
 * Counts a server's calls in flight against `maxInFlight`. Whoever finds no place, the server's or the connection's own,
 * says so: a place that becomes free goes to the connection that has waited longest, and when for two seconds no call at
 * all has ended, as in a cycle of calls, all those requests are answered with an error.
 */
export class Admission {
  inFlight = 0;
  /** Requests that were answered with {@link OVERLOADED}. */
  shed = 0;
  /** Handlers at work whose calls were cancelled: nobody waits for them. */
  abandoned = 0;
  private readonly seekers = new Set<PlaceSeeker>();
  /** Those of them that wait for the server's place, in order. */
  private readonly queue = new Set<PlaceSeeker>();
  private ended = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly maxInFlight: number,
    private readonly turns: Turns,
  ) {}

  get full(): boolean {
    return this.inFlight >= this.maxInFlight;
  }

  begin(): void {
    this.inFlight++;
  }

  end(): void {
    this.inFlight--;
    this.ended++;
    this.offer();
  }

  /** A place is free, or may be: whoever has waited longest for one gets his turn. */
  offer(): void {
    if (this.queue.size === 0 || this.full) return;
    const [next] = this.queue;
    this.queue.delete(next!);
    this.turns.join(next!);
  }

  /** That one waits until a call ends. To be said again whenever it still does. */
  seek(seeker: PlaceSeeker): void {
    this.seekers.add(seeker);
    if (this.full) this.queue.add(seeker);
    if (this.timer === undefined) this.watch(this.ended, 1);
  }

  private watch(ended: number, look: number): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      for (const seeker of this.seekers) if (!seeker.seeking) this.leave(seeker);
      if (this.seekers.size === 0) return;
      if (this.ended !== ended) this.watch(this.ended, 1);
      else if (look < LOOKS) this.watch(ended, look + 1);
      else this.refuseAll();
    }, PATIENCE_MS / LOOKS);
    this.timer.unref();
  }

  private refuseAll(): void {
    debug(
      'no call has ended for %d ms: what waits on %d connections is refused',
      PATIENCE_MS,
      this.seekers.size,
    );
    for (const seeker of [...this.seekers]) {
      this.leave(seeker);
      seeker.shed();
    }
  }

  private leave(seeker: PlaceSeeker): void {
    this.seekers.delete(seeker);
    this.queue.delete(seeker);
  }
}
