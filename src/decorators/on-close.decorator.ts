import type { GevHandlerOptions } from '../server/handlers/handler-extras.js';
import { connectionEvent } from './connection-event.decorator.js';

/**
 * Runs the method once when a connection has closed, also one that `@OnConnect` refused; not one that the server turned
 * away for `maxConnections`. The plain first argument, or `@Reason()`, is the reason. What the method returns is not
 * sent; a promise is waited for by `server.close()`.
 *
 * It waits for `@OnConnect` methods of the same connection (`closeTimeout` at most) but not for messages still being
 * handled, so that it can abort their work.
 *
 * @param options `{ server: 'devices' }` where the application has several servers
 * @throws GevOptionsError
 * @example
 * ```ts
 * @OnClose()
 * left(@Conn() conn: GevConnection, @Reason() reason: CloseReason): void {
 *   this.logger.log(`${conn.id} left: ${reason}`);
 * }
 * ```
 * @publicApi
 */
export function OnClose(options?: GevHandlerOptions): MethodDecorator {
  return connectionEvent('close', options);
}
