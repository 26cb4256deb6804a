import { BaseRpcContext } from '@nestjs/microservices';
import type { Subscription } from 'rxjs';
import type { CloseReason } from '../core/close-reason.js';
import { isBranded } from '../core/both-builds.js';
import type { GevConnection } from '../core/connection.js';
import { type GevCallEnd, GevCallEndedError } from '../core/errors.js';
import { createCallController } from './call-controller.js';
import { GevSocketRef } from './gev.socket-ref.js';

const BRAND = Symbol.for('gev:context');

/** The arguments of a {@link GevContext}: connection, pattern, the packet's metadata, why the connection closed. */
export type GevContextArgs<Data extends object = Record<string, unknown>> = [
  connection: GevConnection<Data>,
  pattern: string,
  metadata?: unknown,
  reason?: CloseReason,
];

/**
 * What enhancers and handlers learn of the call they are part of: `@Ctx()`, or `host.switchToRpc().getContext()`. Each
 * call has one of its own; what belongs to the connection goes into `connection.data`.
 *
 * @example
 * ```ts
 * @MessagePattern('report')
 * async report(@Payload() month: string, @Ctx() { signal }: GevContext): Promise<Report> {
 *   return this.reports.build(month, { signal }); // stops when nobody waits for it any more
 * }
 * ```
 * @typeParam Data what the application keeps in `connection.data`
 * @publicApi
 */
export class GevContext<Data extends object = Record<string, unknown>> extends BaseRpcContext<
  GevContextArgs<Data>
> {
  private controller: AbortController | undefined;
  private end: GevCallEnd | undefined;
  private released = false;
  private closing: Subscription | undefined;

  /**
   * Fires when nobody waits for the outcome any more: the client has cancelled the request, or its connection has
   * closed. It does not fire after the last reply to a request, nor once an event or message has been handled. Made when
   * it is first asked for. Its listeners run in the async context in which they were added. Its `reason` is a
   * {@link GevCallEndedError}.
   */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      const connection = this.getConnection();
      this.controller = createCallController((...failure) => connection.reportFailure(...failure));
      if (this.end !== undefined) this.controller.abort(this.reasonOf(this.end));
      else if (!this.released) {
        this.closing = connection.closed$.subscribe((reason) =>
          this.abort(reason === 'shutdown' ? 'shutdown' : 'lost'),
        );
      }
    }
    return this.controller.signal;
  }

  /** @internal */
  abort(end: GevCallEnd): void {
    if (this.end !== undefined) return;
    this.end = end;
    this.release();
    this.controller?.abort(this.reasonOf(end));
  }

  /** @internal The call has ended: a connection that lives long is not to keep what it asked for. */
  release(): void {
    this.released = true;
    this.closing?.unsubscribe();
    this.closing = undefined;
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /** The connection that this call is about. */
  getConnection(): GevConnection<Data> {
    return this.args[0];
  }

  /** The connection under the names of Nest's `TcpContext.getSocketRef()`: `sendMessage()`, `end()`, `netSocket`… */
  getSocketRef(): GevSocketRef {
    return new GevSocketRef(this.getConnection());
  }

  /** `gev:connect`, `gev:message`, `gev:close`, or the pattern of the handler. */
  getPattern(): string {
    return this.args[1];
  }

  /** What the client attached to the packet (`metadata`), if anything. */
  getMetadata(): unknown {
    return this.args[2];
  }

  /** Why the connection closed; undefined in every other handler than `@OnClose()`. */
  getReason(): CloseReason | undefined {
    return this.args[3];
  }

  private reasonOf(end: GevCallEnd): GevCallEndedError {
    return new GevCallEndedError(end, {
      cause: end === 'lost' ? this.getConnection().closeError : undefined,
    });
  }
}

/** Whether a context is a {@link GevContext}, of either build. */
export function isContext(context: unknown): context is GevContext {
  return isBranded(context, BRAND);
}
