import { type GevConnection, nameOf } from '../../core/connection.js';
import { type ErrorLog, escapeControls, quote } from '../../core/error-log.js';
import { describe } from '../../core/errors.js';
import type { RouteTable } from './route-table.js';

/** Log lines about requests, events and their replies. */
export class RpcReports {
  /** @param countLate whether a reply came too late for its connection, which is then counted */
  constructor(
    private readonly log: ErrorLog,
    private readonly routes: RouteTable,
    private readonly countLate: (error: unknown) => boolean,
  ) {}

  /** A handler has failed. */
  failure(connection: GevConnection, pattern: string, error: unknown, isEvent = false): void {
    const registered = this.routes.registered(pattern, isEvent);
    const kind = registered === undefined ? 'rpc handler' : `rpc handler ${registered}`;
    const name = quote(registered ?? pattern);
    this.log.report(kind, 'error', `The handler of ${name} failed on ${nameOf(connection)}`, error);
  }

  unhandledEvent(pattern: string): void {
    this.log.report('unhandled event', 'error', `There is no handler for the event ${quote(pattern)}`);
  }

  /** A reply could not be sent as it was; the caller has been told, if he can be. */
  unsendable(connection: GevConnection, pattern: string | undefined, error: unknown): void {
    if (this.countLate(error)) return;
    const registered = pattern === undefined ? undefined : this.routes.registered(pattern, false);
    const what = registered === undefined ? 'A reply' : `A reply of the handler of ${quote(registered)}`;
    const kind = `unsendable reply ${registered ?? ''}`;
    this.log.report(kind, 'error', `${what} to ${nameOf(connection)} could not be sent`, error);
  }

  /** A client could not be asked to go; it is treated as one that does not understand it. */
  untold(connection: GevConnection, error: unknown): void {
    this.log.report('go-away', 'warn', `${nameOf(connection)} could not be asked to go`, error);
  }

  /** A request found no place among the calls in flight. */
  overloaded(connection: GevConnection): void {
    const what = `A request of ${nameOf(connection)} was refused: no call has ended for 2 s`;
    this.log.report('overloaded', 'warn', what);
  }

  /** The codec of errors has thrown. */
  unencodable(error: unknown): void {
    this.log.report('error codec', 'error', 'The codec of option "errors" failed', error);
  }

  undeserializable(connection: GevConnection, error: unknown): void {
    const what = `The deserializer failed on ${nameOf(connection)}`;
    this.log.report('deserializer', 'error', what, error);
  }

  /** A frame is no packet in the notation of the codec. */
  undecodable(connection: GevConnection, error: unknown): void {
    const notation = connection.listener?.codec === 'nest-json' ? 'JSON' : connection.listener?.codec;
    const why = escapeControls(describe(error));
    this.log.report('protocol', 'warn', `${nameOf(connection)} is closed: it sent no ${notation}: ${why}`);
  }
}
