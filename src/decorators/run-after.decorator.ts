import { text } from '../core/option-checks.js';
import { assertInterval } from '../core/timer.js';
import { RUN_AFTER_METADATA } from '../timers/gev-timer.constants.js';
import type { RunAfterOptions } from '../timers/gev-timer.interfaces.js';
import { decoratorOptions } from './decorator-options.js';
import { timerDecorator } from './timer.decorator.js';

/**
 * Runs a method of any provider or controller once, so many milliseconds after the server's listen. Needs
 * {@link GevModule}. What the method throws is logged; no enhancers run.
 *
 * @param delay in ms, or all options in one
 * @param options `name`, and `server` where the application has several
 * @throws GevTimerError unless the delay is a whole number of milliseconds from 1 to 2147483647
 * @throws GevOptionsError
 * @example
 * ```ts
 * @RunAfter(5_000)
 * warmUp(): Promise<void> {
 *   return this.cache.fill();
 * }
 * ```
 * @publicApi
 */
export function RunAfter(
  delay: number | RunAfterOptions,
  options?: Omit<RunAfterOptions, 'after'>,
): MethodDecorator {
  const given = typeof delay === 'object' ? delay : { ...options, after: delay };
  const checked = decoratorOptions('RunAfter', given, ['after', 'name', 'server']);
  assertInterval(checked.after, 'The delay of @RunAfter()');
  text(checked, 'name');
  return timerDecorator('RunAfter', RUN_AFTER_METADATA, checked);
}
