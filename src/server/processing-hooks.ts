import { finalize } from 'rxjs';
import type { GevContext } from '../context/gev.context.js';
import type { NestHandler } from './event-handlers.js';
import { isStream } from './handler-result.js';

/** Nest's two hooks around the processing of a message, as observability packages install them. */
export interface ProcessingHooks {
  start(context: GevContext, done: () => Promise<void>): unknown;
  end(context: GevContext): void;
}

/** The handler between the hooks: `end` runs once, when the reply is known or the Observable has ended. */
export function withProcessingHooks(handler: NestHandler, hooks: ProcessingHooks): NestHandler {
  const process = async (data: unknown, context: GevContext): Promise<unknown> => {
    let streams = false;
    try {
      const result = await handler(data, context);
      streams = isStream(result);
      return isStream(result) ? result.pipe(finalize(() => hooks.end(context))) : result;
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
