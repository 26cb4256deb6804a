import { AsyncResource } from 'node:async_hooks';
import { finalize, Observable } from 'rxjs';
import type { FailureReport } from '../../core/callback.js';
import type { GevContext } from '../../context/gev.context.js';
import { isStream, type NestHandler } from './nest-handler.js';

/** Nest's two hooks around the processing of a message, as observability packages install them. */
export interface ProcessingHooks {
  start(context: GevContext, done: () => Promise<void>): unknown;
  end(context: GevContext): void;
}

/**
 * The handler between the hooks: `end` runs once, when the reply is known or the Observable has ended. An
 * AsyncLocalStorage that the start hook has entered holds for all of it, lazy Observables and `end` included.
 *
 * @param report told what a hook throws that cannot change the outcome any more; a start hook that throws before it has
 * called `done` fails the message
 */
export function withProcessingHooks(
  handler: NestHandler,
  hooks: ProcessingHooks,
  report: FailureReport,
): NestHandler {
  const end = (context: GevContext): void => {
    try {
      hooks.end(context);
    } catch (error) {
      report('onProcessingEndHook', error);
    }
  };
  const process = async (data: unknown, context: GevContext): Promise<unknown> => {
    let streams = false;
    try {
      const result = await handler(data, context);
      streams = isStream(result);
      return isStream(result) ? bind(result, () => end(context)) : result;
    } finally {
      if (!streams) end(context);
    }
  };
  return (data, context) =>
    new Promise<unknown>((resolve, reject) => {
      let begun: Promise<void> | undefined;
      const begin = async (): Promise<void> => {
        const outcome = process(data, context);
        resolve(outcome);
        // A failure is the caller's to report, not the hook's.
        await outcome.catch(() => undefined);
      };
      // The handler runs once, however often the hook says so.
      const done = (): Promise<void> => (begun ??= begin());
      const start = async (): Promise<void> => {
        try {
          await hooks.start(context, done);
        } catch (error) {
          if (begun === undefined) throw error;
          report('onProcessingStartHook', error);
        }
      };
      start().catch(reject);
    });
}

/** Has a source subscribed to, and `onEnd` called, in the asynchronous context of this call. */
function bind(source: Observable<unknown>, onEnd: () => void): Observable<unknown> {
  const scope = new AsyncResource('GevProcessing');
  return new Observable<unknown>((subscriber) =>
    scope.runInAsyncScope(() => source.subscribe(subscriber)),
  ).pipe(finalize(() => scope.runInAsyncScope(onEnd)));
}
