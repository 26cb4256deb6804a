import { inFreshScope } from '../engine/fresh-scope.js';
import { MAX_DELAY } from './constants.js';

/** How long nothing may be under way before the process is let go; so long, many short tasks cost no timer each. */
const REST_MS = 50;

/**
 * Keeps the process alive while something is under way, and lets it end soon after the last of it. By a timer, which holds
 * in every state: sockets and loops may be gone while a request waits to be sent again.
 */
export class ProcessHold {
  private under = 0;
  private looking = false;
  private timer: NodeJS.Timeout | undefined;

  /** One more thing is under way. */
  up(): void {
    this.under++;
    this.timer ??= inFreshScope(() => setInterval(nothing, MAX_DELAY));
  }

  /** One has ended. */
  down(): void {
    if (--this.under > 0 || this.looking) return;
    this.looking = true;
    // The process lives until then.
    inFreshScope(() => setTimeout(() => this.look(), REST_MS).unref());
  }

  private look(): void {
    this.looking = false;
    if (this.under > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

function nothing(): void {}
