import { type ArgumentsHost, Catch, Logger, type RpcExceptionFilter } from '@nestjs/common';
import type { GevContext } from 'nestjs-gev';
import { type Observable, throwError } from 'rxjs';

/** The protocol has no word for a refusal: who is refused is hung up on, and comes again after a while. */
@Catch()
export class HangUpFilter implements RpcExceptionFilter {
  private readonly logger = new Logger('devices');

  catch(error: Error, host: ArgumentsHost): Observable<never> {
    const connection = host.switchToRpc().getContext<GevContext>().getConnection();
    this.logger.warn(`${connection.remoteAddress} is refused: ${error.message}`);
    connection.close();
    return throwError(() => error);
  }
}
