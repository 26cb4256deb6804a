import { type GevConnection, nameOf } from '../../core/connection.js';
import type { ErrorLog } from '../../core/error-log.js';
import { codeOf, type GevError, GevHandlerError } from '../../core/errors.js';
import { GevRefusedError } from '../../core/refused-error.js';
import { typeName } from '../../core/values.js';
import { isLoggedByNest } from '../handlers/nest-handler.js';
import type { ConnectionHandler } from './connection-handlers.js';

/** Log lines about connections and their handlers. */
export class ConnectionReports {
  /** Replies that came after their connection had closed. */
  lateReplies = 0;
  /** Handlers that have returned what is not sent. */
  private readonly dropped = new Set<ConnectionHandler>();

  /**
   * @param handshakeTimeout within which `@OnConnect` handlers must settle, in ms
   * @param onDropped where packets are carried: a handler has returned what is not sent. Told once each
   */
  constructor(
    private readonly log: ErrorLog,
    private readonly handshakeTimeout: number,
    private readonly onDropped: (handler: string) => void,
  ) {}

  /** A handler has failed. */
  failure(connection: GevConnection, handler: ConnectionHandler, error: unknown): void {
    if (isLoggedByNest(error)) return;
    this.log.report(handler.label, 'error', `${handler.label} failed on ${nameOf(connection)}`, error);
  }

  /** A connect handler has failed: the connection is not taken, or not kept. */
  refusal(connection: GevConnection, handler: ConnectionHandler, error: unknown): void {
    if (isLoggedByNest(error)) return;
    this.log.report(handler.label, 'warn', `${handler.label} refused ${nameOf(connection)}`, error);
  }

  teardown(connection: GevConnection, error: unknown): void {
    const message = `The teardown of an Observable failed on ${nameOf(connection)}`;
    this.log.report('teardown', 'error', message, error);
  }

  /** Why a connection was cut, where nobody has told yet. */
  end(connection: GevConnection): void {
    const { closeReason, closeError } = connection;
    if (closeReason === 'handshake') this.handshake(connection);
    if (closeReason !== 'backpressure' && closeReason !== 'protocol') return;
    if (closeError === undefined) return;
    this.log.report(closeReason, 'warn', `${nameOf(connection)} is closed`, closeError);
  }

  /** What a handler returned cannot be sent. */
  unsendable(connection: GevConnection, handler: ConnectionHandler, value: unknown): void {
    const error = new GevHandlerError(
      `a ${typeName(value)} cannot be sent: return a Buffer, Uint8Array or string, or a promise or Observable of one`,
    );
    this.failure(connection, handler, error);
  }

  /** What a handler returned was not sent. */
  unsent(connection: GevConnection, handler: ConnectionHandler, error: unknown): void {
    if (!this.countLate(error)) this.failure(connection, handler, error);
  }

  /** On a server that speaks RPC what connection handlers return is no reply, and would break the clients of others. */
  dropReply(handler: ConnectionHandler): void {
    if (this.dropped.has(handler)) return;
    this.dropped.add(handler);
    this.onDropped(handler.label);
  }

  /** A reply that came after its connection had closed is nobody's fault. True if it was one. */
  countLate(error: unknown): boolean {
    const late = codeOf(error) === 'ERR_GEV_CONNECTION_CLOSED';
    if (late) this.lateReplies++;
    return late;
  }

  /** Something that belongs to no connection. */
  trouble(error: GevError): void {
    if (error instanceof GevRefusedError) {
      this.log.report(`refused: ${error.refusal}`, 'warn', error.message);
      return;
    }
    const kind = error instanceof GevHandlerError ? error.culprit : error.code;
    this.log.report(kind, 'error', error.message, error.cause);
  }

  /** Something has thrown between messages, where nobody is to be answered. */
  uncaught(error: unknown): void {
    this.log.report('turns', 'error', 'Starting the handler of a message that waited failed', error);
  }

  private handshake(connection: GevConnection): void {
    const what = `@OnConnect handlers did not settle within handshakeTimeout (${this.handshakeTimeout} ms)`;
    this.log.report('handshake', 'warn', `${nameOf(connection)} is closed: ${what}`);
  }
}
