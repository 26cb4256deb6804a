import { EventEmitter } from 'node:events';
import { type GevConnectionLostError, GevInvalidReplyError } from '../core/client-errors.js';
import { type GevError, GevHandlerError, GevProtocolError } from '../core/errors.js';
import type { GevLogger } from '../core/options.js';
import { inFreshScope } from '../native/fresh-scope.js';
import { ErrorLog } from '../server/error-log.js';
import type { Endpoint } from './endpoint.js';
import type { GevClientEvents } from './gev.client.events.js';
import type { Link } from './link.js';

/**
 * Takes what happens to a client's connections to its log and to the listeners of its events. Those are not called in
 * the context of the request that happens to bring it about.
 */
export class ClientReport {
  reconnects = 0;
  private readonly emitter = new EventEmitter();
  private readonly log: ErrorLog;

  constructor(logger: GevLogger) {
    this.log = new ErrorLog(logger);
  }

  on<Event extends keyof GevClientEvents>(event: Event, callback: GevClientEvents[Event]): void {
    this.emitter.on(event, callback as (...args: unknown[]) => void);
  }

  /** @param again one was lost before */
  connected({ endpoint, connection }: Link, again: boolean): void {
    if (again) this.reconnects++;
    this.emit('connect', endpoint.target, connection);
  }

  disconnected({ endpoint }: Link, error: GevConnectionLostError): void {
    const cause = error.cause as GevError | undefined;
    const why = cause instanceof GevProtocolError ? cause.message : cause?.code;
    this.log.report('lost', 'warn', `Lost the connection to ${endpoint.name} (${error.reason})`, why);
    this.emit('disconnect', endpoint.target, error);
  }

  reconnecting({ target }: Endpoint, delay: number): void {
    this.emit('reconnecting', target, delay);
  }

  /** @param silent whoever needed the connection hears of it */
  dialFailed({ target }: Endpoint, error: GevError, silent: boolean): void {
    if (!silent) this.log.report('dial', 'warn', error.message);
    this.emit('error', error, target);
  }

  invalidReply({ endpoint }: Link, cause: unknown): void {
    const error = new GevInvalidReplyError(endpoint.name, { cause });
    this.log.report(error.code, 'error', error.message, cause);
    this.emit('error', error, endpoint.target);
  }

  /** A subscriber, a serializer or a deserializer threw where nobody else is to be told. */
  failure(cause: unknown): void {
    this.error(new GevHandlerError('A subscriber or deserializer of the client failed', { cause }));
  }

  error(error: GevError): void {
    this.log.report(error.code, 'error', error.message, error.cause);
    this.emit('error', error);
  }

  private emit(event: keyof GevClientEvents, ...args: unknown[]): void {
    // Without a listener an 'error' event would throw; it has been logged.
    if (this.emitter.listenerCount(event) === 0) return;
    try {
      inFreshScope(() => this.emitter.emit(event, ...args));
    } catch (error) {
      this.log.report('listener', 'error', `A listener of the client's "${event}" event failed`, error);
    }
  }
}
