import { flag, text } from '../core/option-checks.js';
import { assertInterval } from '../core/timer.js';
import { RUN_EVERY_METADATA } from '../timers/gev-timer.constants.js';
import type { RunEveryOptions } from '../timers/gev-timer.interfaces.js';
import { decoratorOptions } from './decorator-options.js';
import { timerDecorator } from './timer.decorator.js';

/**
 * Runs a method of any provider or controller every so many milliseconds, at a fixed rate from the server's listen on
 * until the application shuts down. Needs {@link GevModule}. What the method throws is logged; no enhancers run.
 *
 * @param interval in ms, or all options in one
 * @param options `name`, `overlap`, and `server` where the application has several
 * @throws GevTimerError unless the interval is a whole number of milliseconds from 1 to 2147483647
 * @throws GevOptionsError
 * @example
 * ```ts
 * @RunEvery(1000)
 * push(): void {
 *   this.server.broadcast('hello\n');
 * }
 * ```
 * @publicApi
 */
export function RunEvery(
  interval: number | RunEveryOptions,
  options?: Omit<RunEveryOptions, 'every'>,
): MethodDecorator {
  const given = typeof interval === 'object' ? interval : { ...options, every: interval };
  const checked = decoratorOptions('RunEvery', given, ['every', 'name', 'overlap', 'server']);
  assertInterval(checked.every, 'The interval of @RunEvery()');
  text(checked, 'name');
  flag(checked, 'overlap');
  return timerDecorator('RunEvery', RUN_EVERY_METADATA, checked);
}
