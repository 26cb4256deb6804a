import { BaseRpcContext } from '@nestjs/microservices';
import type { CloseReason } from '../core/close-reason.js';
import { isBranded } from '../core/both-builds.js';
import type { GevConnection } from '../core/connection.js';
import type { GevData } from '../core/data.js';
import type { GevCallEnd } from '../core/errors.js';
import { CallSignal, type CallState } from './call-signal.js';
import { GevSocketRef } from './gev.socket-ref.js';

const BRAND = Symbol.for('gev:context');

/** The arguments of a {@link GevContext}: connection, pattern, the packet's metadata, why the connection closed. */
export type GevContextArgs<Data extends object = Record<string, unknown>, Frame = GevData> = [
  connection: GevConnection<Data, Frame>,
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
 * @typeParam Frame what its messages are, see {@link GevConnection}
 * @publicApi
 */
export class GevContext<
  Data extends object = Record<string, unknown>,
  Frame = GevData,
> extends BaseRpcContext<GevContextArgs<Data, Frame>> {
  /** What has become of the call while nobody has asked for its signal; then the signal. */
  private call: CallSignal | CallState;

  /**
   * Fires when nobody waits for the outcome any more: the client has cancelled the request, or its connection has
   * closed. It does not fire after the last reply to a request, nor once an event or message has been handled. Made when
   * it is first asked for. Its listeners run in the async context in which they were added. Its `reason` is a
   * `GevCallEndedError`.
   */
  get signal(): AbortSignal {
    const { call } = this;
    const made = typeof call === 'object' ? call : new CallSignal(this.getConnection(), call);
    this.call = made;
    return made.signal;
  }

  /** @internal Nobody waits for the outcome any more. */
  abort(end: GevCallEnd): void {
    const { call } = this;
    if (typeof call === 'object') call.abort(end);
    else if (call === undefined || call === 'over') this.call = end;
  }

  /** @internal The call has ended: a connection that lives long is not to keep what it asked for. */
  release(): void {
    const { call } = this;
    if (typeof call === 'object') call.release();
    else if (call === undefined) this.call = 'over';
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }

  /** The connection that this call is about. */
  getConnection(): GevConnection<Data, Frame> {
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
}

/** Whether a context is a {@link GevContext}, of either build. */
export function isContext(context: unknown): context is GevContext {
  return isBranded(context, BRAND);
}

/**
 * Makes contexts as `new GevContext()` does, one a message: the constructor of a derived class, which is not inlined where
 * messages are handled, costs more than all the rest of it.
 */
export const MessageContext = function (
  this: { args: GevContextArgs; call: CallState },
  args: GevContextArgs,
) {
  this.args = args;
  this.call = undefined;
} as unknown as new (args: GevContextArgs) => GevContext;
MessageContext.prototype = GevContext.prototype;
