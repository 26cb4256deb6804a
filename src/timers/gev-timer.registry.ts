import { Injectable } from '@nestjs/common';
import { GevDuplicateTimerError, GevTimerError } from '../core/errors.js';
import type { EndingTimer, GevTimer } from '../core/timer.js';

/**
 * The named timers of an application: those of `@RunEvery` and `@RunAfter`, and what one adds. A timer that has ended
 * leaves it by itself.
 *
 * @example
 * ```ts
 * registry.add('cleanup', server.runEvery(60_000, () => this.cleanUp()));
 * registry.delete('cleanup');
 * ```
 * @publicApi
 */
@Injectable()
export class GevTimerRegistry {
  private readonly timers = new Map<string, GevTimer>();

  /** @throws GevDuplicateTimerError when a timer of that name is active; GevTimerError for what is no timer of ours */
  add(name: string, timer: GevTimer): void {
    if (typeof (timer as Partial<GevTimer> | undefined)?.cancel !== 'function') {
      throw new GevTimerError(
        `"${name}" is no timer of a server: add what server.runEvery() or runAfter() returned`,
      );
    }
    if (this.get(name) !== undefined) throw new GevDuplicateTimerError(name);
    if (!timer.active) return;
    this.timers.set(name, timer);
    (timer as Partial<EndingTimer>).whenEnded?.(() => {
      if (this.timers.get(name) === timer) this.timers.delete(name);
    });
  }

  get(name: string): GevTimer | undefined {
    const timer = this.timers.get(name);
    if (timer?.active !== false) return timer;
    this.timers.delete(name);
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Cancels the timer and forgets it. Returns whether there was one. */
  delete(name: string): boolean {
    const timer = this.get(name);
    timer?.cancel();
    this.timers.delete(name);
    return timer !== undefined;
  }

  /** The names of all active timers, in the order they were added. */
  names(): string[] {
    return [...this.timers.keys()].filter((name) => this.has(name));
  }
}
