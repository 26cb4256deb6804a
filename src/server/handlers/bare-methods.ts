import type { ArgumentsHost } from '@nestjs/common';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { catchError, type Observable } from 'rxjs';
import { inCommon } from '../../core/both-builds.js';
import { promiseOf } from '../../core/values.js';
import type { HandlerMarker } from './handler-marker.js';
import { isStream, type NestHandler } from './nest-handler.js';

/** Knows of which decorated methods an application has nothing bound to. */
export interface BareMethods {
  /** Calls that method as Nest does, without Nest's promises around it; undefined where something is bound, or may be. */
  handlerOf(marker: HandlerMarker): NestHandler | undefined;
}

/** By server, of the application that it belongs to. */
const known = inCommon('bare-methods', () => new WeakMap<object, BareMethods>());

/** The server is to ask there when it listens. */
export function tellBareMethods(server: object, methods: BareMethods): void {
  known.set(server, methods);
}

/** What the server was told; undefined without a `GevModule` in its application. */
export function bareMethodsOf(server: object): BareMethods | undefined {
  return known.get(server);
}

/** Of messages that nothing is bound to, and no filter, Nest's filter looks at the exception alone. */
const NOTHING = {} as ArgumentsHost;

/**
 * Does what Nest does around a method that has neither guards, pipes, interceptors nor filters: hands it the message, and its
 * errors, those of promises and Observables included, to Nest's own filter. Nest takes a microsecond and a dozen promises
 * to find that nothing is bound; here a plain result is returned at once.
 */
export function bareHandler(instance: object, method: (data: unknown) => unknown): NestHandler {
  const filter = new BaseRpcExceptionFilter();
  const fail = (error: unknown): Observable<unknown> => filter.catch(error, NOTHING);
  const guarded = (result: unknown): unknown =>
    isStream(result) ? result.pipe(catchError((error: unknown) => fail(error))) : result;
  return (data) => {
    try {
      const result = method.call(instance, data);
      if (typeof result !== 'object' || result === null || result instanceof Uint8Array) return result;
      const promise = promiseOf(result);
      return promise === undefined ? guarded(result) : promise.then(guarded, fail);
    } catch (error) {
      return fail(error);
    }
  };
}
