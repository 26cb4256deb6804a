import type { GevHandlerOptions } from '../server/handlers/handler-extras.js';
import { connectionEvent } from './connection-event.decorator.js';

/**
 * Runs the method when a connection has been accepted, before anything is read from it. Until all `@OnConnect` methods
 * have settled no message of the connection is handled; one that throws, rejects or is denied by a guard closes it.
 *
 * What the method returns is written to the connection, as for {@link OnMessage}. An Observable may go on for ever; it
 * is unsubscribed when the connection closes, and the connection is closed when it fails. Behind an interceptor, an
 * Observable counts as settled with its first value or its end.
 *
 * The plain first argument is the connection, too. An exception filter that answers without an error admits the connection.
 * On a server that speaks RPC nothing that the method returns is written.
 *
 * @param options `{ server: 'devices' }` where the application has several servers
 * @throws GevOptionsError
 * @example
 * ```ts
 * @OnConnect()
 * welcome(@Conn() conn: GevConnection): string {
 *   return `Hello, ${conn.remoteAddress}\n`;
 * }
 * ```
 * @publicApi
 */
export function OnConnect(options?: GevHandlerOptions): MethodDecorator {
  return connectionEvent('connect', options);
}
