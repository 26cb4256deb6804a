import { BaseRpcContext } from '@nestjs/microservices';
import type { Subscription } from 'rxjs';
import type { CloseReason } from '../core/close-reason.js';
import type { GevConnection } from '../core/connection.js';
import { createCallController } from './call-controller.js';

/** The arguments of a {@link GevContext}: connection, pattern, the packet's metadata, why the connection closed. */
export type GevContextArgs = [
  connection: GevConnection,
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
 * @publicApi
 */
export class GevContext extends BaseRpcContext<GevContextArgs> {
  private controller: AbortController | undefined;
  private aborted = false;
  private released = false;
  private closing: Subscription | undefined;

  /**
   * Fires when nobody waits for the outcome any more: the client has cancelled the request, or its connection has
   * closed. It does not fire after the last reply to a request, nor once an event or message has been handled. Made when
   * it is first asked for. Its listeners run in the async context in which they were added.
   */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      const connection = this.getConnection();
      this.controller = createCallController((...failure) => connection.reportFailure(...failure));
      if (this.aborted) this.controller.abort();
      else if (!this.released) this.closing = connection.closed$.subscribe(() => this.abort());
    }
    return this.controller.signal;
  }

  /** @internal */
  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.release();
    this.controller?.abort();
  }

  /** @internal The call has ended: a connection that lives long is not to keep what it asked for. */
  release(): void {
    this.released = true;
    this.closing?.unsubscribe();
    this.closing = undefined;
  }

  /** The connection that this call is about. */
  getConnection(): GevConnection {
    return this.args[0];
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
}
