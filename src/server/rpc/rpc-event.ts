import type { GevContext } from '../../context/gev.context.js';
import { promiseOf } from '../../core/values.js';
import type { WaitGroup } from '../admission/wait-group.js';
import { isLoggedByNest, isStream, type NestHandler } from '../handlers/nest-handler.js';

/**
 * Runs an event's handler. It owes nothing to the connection, and goes on when that closes: its sender may not wait.
 *
 * @param work counts it until its handler has settled, or its Observable has ended
 * @param report told what it fails with, where nobody has logged it
 */
export function runEvent(
  handler: NestHandler,
  data: unknown,
  context: GevContext,
  work: WaitGroup,
  report: (error: unknown) => void,
): void {
  let settled = false;
  work.add(1);
  const done = (): void => {
    settled = true;
    context.release();
    work.done(1);
  };
  const failed = (error: unknown): void => {
    if (!isLoggedByNest(error)) report(error);
    if (!settled) done();
  };
  const take = (value: unknown): void => {
    if (isStream(value)) value.subscribe({ error: failed, complete: done });
    else done();
  };
  try {
    const result: unknown = handler(data, context);
    const promise = promiseOf(result);
    if (promise === undefined) take(result);
    else promise.then(take).catch(failed);
  } catch (error) {
    failed(error);
  }
}
