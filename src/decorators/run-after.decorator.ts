import { assertInterval } from '../core/timer.js';
import { RUN_AFTER_METADATA } from '../timers/gev-timer.constants.js';
import type { RunAfterOptions } from '../timers/gev-timer.interfaces.js';
import { timerDecorator } from './timer.decorator.js';

/**
 * Runs a method of any provider or controller once, so many milliseconds after the server's listen. Needs
 * {@link GevModule}. What the method throws is logged; no enhancers run.
 *
 * @throws GevTimerError unless the delay is a whole number of milliseconds from 1 to 2147483647
 * @example
 * ```ts
 * @RunAfter(5_000)
 * warmUp(): Promise<void> {
 *   return this.cache.fill();
 * }
 * ```
 * @publicApi
 */
export function RunAfter(delay: number | RunAfterOptions): MethodDecorator {
  const options = typeof delay === 'object' ? delay : { after: delay };
  assertInterval(options.after, 'The delay of @RunAfter()');
  return timerDecorator(RUN_AFTER_METADATA, options);
}
