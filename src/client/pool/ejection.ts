import type { Clock } from '../../core/clock.js';
import type { GevEjectionOptions } from '../gev.client.options.js';

/** Each time lasts twice as long as the one before, up to 16 times the first. */
const MAX_DOUBLINGS = 4;

/** What an {@link Ejection} asks, and whom it tells. */
export interface EjectionOwner {
  /** Whether enough other endpoints are left. */
  mayEject(): boolean;
  /** It is left out, or no longer. */
  onEjection(): void;
}

/** Whether an endpoint is left out for a while although it is connected, as its connections do not last. */
export class Ejection {
  active = false;
  private failures = 0; // in a row
  private repetitions = 0;
  private lastDuration = 0;
  private returnedAt = -Infinity;
  private cancelReturn: (() => void) | undefined;

  constructor(
    private readonly owner: EjectionOwner,
    private readonly options: Required<GevEjectionOptions> | false,
    private readonly clock: Clock,
  ) {}

  /** The endpoint answers. */
  replied(): void {
    this.failures = 0;
  }

  /** A connection was lost, or could not be made beside others. */
  failed(): void {
    this.failures++;
    if (this.options !== false && this.failures >= this.options.failures) this.begin(this.options.duration);
  }

  /** It answers nothing at all. */
  silent(): void {
    this.failures++;
    if (this.options !== false) this.begin(this.options.duration);
  }

  stop(): void {
    this.cancelReturn?.();
  }

  private begin(first: number): void {
    if (this.active || !this.owner.mayEject()) return;
    // One that has done well for as long as it was left out begins anew.
    if (this.clock.now() - this.returnedAt > this.lastDuration) this.repetitions = 0;
    this.lastDuration = first * 2 ** Math.min(this.repetitions++, MAX_DOUBLINGS);
    this.active = true;
    this.cancelReturn = this.clock.after(this.lastDuration, () => this.end());
    this.owner.onEjection();
  }

  /** The count of failures stays: one more leaves it out again, a reply makes it good. */
  private end(): void {
    this.active = false;
    this.returnedAt = this.clock.now();
    this.owner.onEjection();
  }
}
