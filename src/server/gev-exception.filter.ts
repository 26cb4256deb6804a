import { type ArgumentsHost, Catch, Logger } from '@nestjs/common';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { throwError } from 'rxjs';
import { isContext } from '../context/gev.context.js';
import { nameOf } from '../core/connection.js';
import { ErrorLog, quote } from '../core/error-log.js';
import type { GevLogger } from '../core/options.js';
import { INTERNAL_ERROR } from './handlers/nest-handler.js';

/**
 * Answers as Nest's own exception handler does, and logs an unexpected error with the pattern and the connection, at most
 * one line a second for each pattern, with a count of the others. Nest's handler logs every one with its stack, thousands a
 * second where something that handlers depend on is down, and says nothing of an `HttpException`.
 *
 * @example
 * ```ts
 * const app = await NestFactory.createMicroservice(AppModule, { strategy: new GevServer() });
 * app.useGlobalFilters(new GevExceptionFilter());
 * ```
 * @publicApi
 */
@Catch()
export class GevExceptionFilter extends BaseRpcExceptionFilter {
  private readonly log: ErrorLog;

  /** @param logger default: Nest's, with the context `GevExceptionFilter` */
  constructor(logger: GevLogger = new Logger(GevExceptionFilter.name)) {
    super();
    this.log = new ErrorLog(logger);
  }

  override catch(exception: unknown, host: ArgumentsHost): Observable<unknown> {
    if (exception instanceof RpcException) return super.catch(exception, host);
    const context = host.switchToRpc().getContext<unknown>();
    if (isContext(context)) {
      const pattern = context.getPattern();
      const line = `The handler of ${quote(pattern)} failed on ${nameOf(context.getConnection())}`;
      this.log.report(`handler ${pattern}`, 'error', line, exception);
    } else this.log.report('handler', 'error', 'A handler failed', exception);
    return throwError(() => ({ ...INTERNAL_ERROR }));
  }
}
