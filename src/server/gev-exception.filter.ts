import { type ArgumentsHost, Catch, Logger } from '@nestjs/common';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { throwError } from 'rxjs';
import { type GevContext, isContext } from '../context/gev.context.js';
import { nameOf } from '../core/connection.js';
import { ErrorLog, quote } from '../core/error-log.js';
import type { GevLogger } from '../core/options.js';
import type { ReactorConnection } from '../core/reactor-connection.js';
import type { ConnectionScope } from './connections/connection-scope.js';
import { rememberThrown } from './handlers/error-replies.js';
import { INTERNAL_ERROR } from './handlers/nest-handler.js';

/**
 * Answers as Nest's own exception handler does, and logs an unexpected error with the pattern and the connection, at most
 * one line a second for each pattern, with a count of the others. Nest's handler logs every one with its stack, thousands a
 * second where something that handlers depend on is down, and says nothing of an `HttpException`.
 *
 * Where the server has option `errors`, it lets that know what was thrown, and errors that are meant for callers, those of
 * {@link errorCodec}'s classes and `HttpException`s, are handed over to them and not logged.
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
    const context = host.switchToRpc().getContext<unknown>();
    if (isContext(context) && isExpected(context, exception)) return throwError(() => exception);
    if (exception instanceof RpcException) return super.catch(exception, host);
    if (isContext(context)) {
      const pattern = context.getPattern();
      const line = `The handler of ${quote(pattern)} failed on ${nameOf(context.getConnection())}`;
      this.log.report(`handler ${pattern}`, 'error', line, exception);
    } else this.log.report('handler', 'error', 'A handler failed', exception);
    const told = { ...INTERNAL_ERROR };
    rememberThrown(told, exception);
    return throwError(() => told);
  }
}

/** Whether the server tells callers of such errors, whoever throws them. */
function isExpected(context: GevContext, exception: unknown): boolean {
  const { attachment } = context.getConnection() as ReactorConnection<ConnectionScope>;
  return attachment?.expects(exception) === true;
}
