import { AsyncResource } from 'node:async_hooks';
import { finalize, Observable } from 'rxjs';
import type { GevContext } from '../context/gev.context.js';
import type { NestHandler } from './event-handlers.js';
import { isStream } from './handler-result.js';

/** Nest's two hooks around the processing of a message, as observability packages install them. */
export interface ProcessingHooks {
  start(context: GevContext, done: () => Promise<void>): unknown;
  end(context: GevContext): void;
}

/**
 * The handler between the hooks: `end` runs once, when the reply is known or the Observable has ended. An
 * AsyncLocalStorage that the start hook has entered holds for all of it, lazy Observables and `end` included.
 */
export function withProcessingHooks(handler: NestHandler, hooks: ProcessingHooks): NestHandler {
  const process = async (data: unknown, context: GevContext): Promise<unknown> => {
    let streams = false;
    try {
      const result = await handler(data, context);
      streams = isStream(result);
      return isStream(result) ? bind(result, () => hooks.end(context)) : result;
    } finally {
      if (!streams) hooks.end(context);
    }
  };
  return (data, context) =>
    new Promise<unknown>((resolve, reject) => {
      const done = async (): Promise<void> => {
        const outcome = process(data, context);
        resolve(outcome);
        // A failure is the caller's to report, not the hook's.
        await outcome.catch(() => undefined);
      };
      Promise.resolve(hooks.start(context, done)).catch(reject);
    });
}

/** Has a source subscribed to, and `onEnd` called, in the asynchronous context of this call. */
function bind(source: Observable<unknown>, onEnd: () => void): Observable<unknown> {
  const scope = new AsyncResource('GevProcessing');
  return new Observable<unknown>((subscriber) =>
    scope.runInAsyncScope(() => source.subscribe(subscriber)),
  ).pipe(finalize(() => scope.runInAsyncScope(onEnd)));
}
