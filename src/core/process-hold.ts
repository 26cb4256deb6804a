import { inFreshScope } from '../native/fresh-scope.js';

/** What can keep the process alive, or not. */
export interface Holder {
  ref(): void;
  unref(): void;
}

/** How long nothing may be under way before the process is let go; so long, many short tasks cost no call each. */
const REST_MS = 50;

/** Keeps the process alive while something is under way, and lets it end soon after the last of it. */
export class ProcessHold {
  private under = 0;
  private held = false;
  private looking = false;
  private holder: Holder | undefined;

  /** One more thing is under way. */
  up(): void {
    if (++this.under > 1 || this.held) return;
    this.held = true;
    this.holder?.ref();
  }

  /** One has ended. */
  down(): void {
    if (--this.under === 0) this.lookLater();
  }

  /** What keeps the process alive from now on. */
  attach(holder: Holder): void {
    this.holder = holder;
    if (!this.held) holder.unref();
  }

  /** That one keeps it alive no more, or by itself. */
  detach(holder: Holder): void {
    if (this.holder === holder) this.holder = undefined;
  }

  private lookLater(): void {
    if (this.looking) return;
    this.looking = true;
    // The process lives until then: the holder holds it.
    inFreshScope(() => setTimeout(() => this.look(), REST_MS).unref());
  }

  private look(): void {
    this.looking = false;
    if (this.under > 0) return;
    this.held = false;
    this.holder?.unref();
  }
}
