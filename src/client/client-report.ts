import {
  GevCodecMismatchError,
  type GevConnectionLostError,
  GevInvalidReplyError,
} from '../core/client-errors.js';
import { GevBackpressureError, type GevError, GevHandlerError, GevProtocolError } from '../core/errors.js';
import type { GevConnection } from '../core/connection.js';
import { Listeners } from '../core/listeners.js';
import type { GevLogger } from '../core/options.js';
import { ErrorLog } from '../core/error-log.js';
import { CLIENT_EVENTS, type GevClientEvents } from './gev.client.events.js';
import type { Link, LinkEndpoint } from './pool/link.js';

/**
 * Takes what happens to a client's connections to its log and to the listeners of its events. Those are called in the
 * context in which they were added, not in that of the request that happens to bring it about.
 */
export class ClientReport {
  reconnects = 0;
  private readonly listeners = new Listeners<GevClientEvents>(
    'client',
    CLIENT_EVENTS,
    (culprit, error) => this.contained(culprit, error),
    (message) => this.logger.warn(message),
  );
  private readonly log: ErrorLog;

  constructor(private readonly logger: GevLogger) {
    this.log = new ErrorLog(logger);
  }

  on<Event extends keyof GevClientEvents>(event: Event, callback: GevClientEvents[Event]): void {
    this.listeners.on(event, callback);
  }

  /** @param again one was lost before */
  connected({ endpoint, connection }: Link, again: boolean): void {
    if (again) this.reconnects++;
    this.listeners.emit('connect', endpoint.target, connection);
  }

  disconnected({ endpoint }: Link, error: GevConnectionLostError): void {
    const cause = error.cause as GevError | undefined;
    const told = [GevProtocolError, GevBackpressureError, GevCodecMismatchError].some(
      (type) => cause instanceof type,
    );
    const why = told ? cause!.message : cause?.code;
    this.log.report('lost', 'warn', `Lost the connection to ${endpoint.name} (${error.reason})`, why);
    this.listeners.emit('disconnect', endpoint.target, error);
  }

  /** The end of a connection that was announced, whoever has brought it about. */
  closed({ closeReason, closeError }: GevConnection): void {
    this.listeners.emit('close', closeError !== undefined || closeReason === 'reset');
  }

  /** As {@link disconnected}, where the server had asked for it. */
  left({ endpoint }: Link, error: GevConnectionLostError): void {
    this.listeners.emit('disconnect', endpoint.target, error);
  }

  reconnecting({ target }: LinkEndpoint, delay: number): void {
    this.listeners.emit('reconnecting', target, delay);
  }

  /** @param silent whoever needed the connection hears of it, or nobody needs it now */
  dialFailed({ target }: LinkEndpoint, error: GevError, silent: boolean): void {
    if (!silent) this.log.report('dial', 'warn', error.message);
    this.listeners.emit('error', error, target);
  }

  invalidReply({ endpoint }: Link, cause: unknown): void {
    const error = new GevInvalidReplyError(endpoint.name, { cause });
    this.log.report(error.code, 'error', error.message, cause);
    this.listeners.emit('error', error, endpoint.target);
  }

  /** A subscriber, a serializer or a deserializer threw where nobody else is to be told. */
  failure(cause: unknown): void {
    this.error(new GevHandlerError('A subscriber or deserializer of the client failed', { cause }));
  }

  error(error: GevError): void {
    this.log.report(error.code, 'error', error.message, error.cause);
    this.listeners.emit('error', error);
  }

  /** A function of the application has thrown where it harms nobody else. */
  contained(culprit: string, error: unknown): void {
    this.log.report(culprit, 'error', `${culprit} failed`, error);
  }
}
