import { assertInterval } from '../core/timer.js';
import { RUN_EVERY_METADATA } from '../timers/gev-timer.constants.js';
import type { RunEveryOptions } from '../timers/gev-timer.interfaces.js';
import { timerDecorator } from './timer.decorator.js';

/**
 * Runs a method of any provider or controller every so many milliseconds, at a fixed rate from the server's listen on
 * until the application shuts down. Needs {@link GevModule}. What the method throws is logged; no enhancers run.
 *
 * @throws GevTimerError unless the interval is a whole number of milliseconds from 1 to 2147483647
 * @example
 * ```ts
 * @RunEvery(1000)
 * push(): void {
 *   this.server.broadcast('hello\n');
 * }
 * ```
 * @publicApi
 */
export function RunEvery(interval: number | RunEveryOptions): MethodDecorator {
  const options = typeof interval === 'object' ? interval : { every: interval };
  assertInterval(options.every, 'The interval of @RunEvery()');
  return timerDecorator(RUN_EVERY_METADATA, options);
}
