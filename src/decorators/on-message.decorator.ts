import type { GevHandlerOptions } from '../server/handlers/handler-extras.js';
import { connectionEvent } from './connection-event.decorator.js';

/**
 * Runs the method for each message of a connection. With `raw()` a message is the chunk of bytes one read brought, with
 * `line()`, `lengthField()` and `custom()` it is a frame, with `packets()` a frame that is no packet; with `nestJson()` it is
 * the JSON text of a frame, every packet included, beside the handlers of patterns. The plain first argument, or `@Payload()`
 * where other parameters are decorated, is a Buffer that is the method's to keep, unless the codec is `raw({ copy: false })`;
 * or text, or whatever `custom()` makes of it.
 *
 * A Buffer, Uint8Array or string that the method returns, promises or emits is written to the connection; undefined and
 * null write nothing. With a `concurrency` of 1, as `raw()` has it, the next message waits until the promise has settled. An
 * Observable does not hold up the next message, unless an interceptor is bound: then its first value or its end does. It is
 * unsubscribed when the connection closes.
 *
 * On a server that speaks `nestJson()` the method observes: what it returns is dropped, with a warning, and `conn.send()` remains.
 *
 * A method that throws costs its own message only: the error is logged, and the connection goes on.
 *
 * @param options `{ server: 'devices' }` where the application has several servers
 * @throws GevOptionsError
 * @example
 * ```ts
 * @OnMessage()
 * echo(data: Buffer): Buffer {
 *   return data;
 * }
 * ```
 * @publicApi
 */
export function OnMessage(options?: GevHandlerOptions): MethodDecorator {
  return connectionEvent('message', options);
}
