import type { GevCallEnd } from '../../core/errors.js';
import type { GevContext } from '../../context/gev.context.js';
import { promiseOf } from '../../core/values.js';
import type { ReplyKind } from '../../protocol/nest-json/reply-writer.js';
import { isStream, type NestHandler, toErrorReply } from '../handlers/nest-handler.js';
import { RpcStream, type StreamLimit, type StreamOwner } from './rpc-stream.js';

/** What a call needs of the client that it came from. */
export interface CallOwner extends StreamOwner {
  /** `plainId`: the id is known to be text that needs no escaping. */
  reply(id: unknown, kind: ReplyKind, value: unknown, plainId?: boolean): boolean;
  /** Its handler has failed. */
  failed(context: GevContext, error: unknown): void;
  /** It was cancelled, and its handler is still at work: it keeps its place until {@link reclaim}. */
  abandon(): void;
  reclaim(): void;
  /** It has ended. */
  finish(call: RpcCall): void;
}

/** One request, from its handler to its last reply. It is a link in its client's list of calls in flight. */
export class RpcCall {
  /** Kept by `CallList`. */
  previous: RpcCall | undefined;
  next: RpcCall | undefined;

  private ended = false;
  /** The handler has begun and has not settled. */
  private running = false;
  private stream: RpcStream | undefined;

  constructor(
    private readonly owner: CallOwner,
    readonly id: unknown,
    private readonly context: GevContext,
    private readonly plainId: boolean,
  ) {}

  run(handler: NestHandler, data: unknown): void {
    this.running = true;
    let result: unknown;
    let promise: Promise<unknown> | undefined;
    try {
      result = handler(data, this.context);
      promise = promiseOf(result);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (promise === undefined) this.settle(result);
    else {
      promise.then(
        (value) => this.settle(value),
        (error: unknown) => this.fail(error),
      );
    }
  }

  /** The client wants no more of it, or is gone: nothing is replied any more. A handler at work keeps its place. */
  cancel(end: GevCallEnd = 'cancelled'): void {
    if (this.ended) return;
    if (this.running) this.owner.abandon();
    this.end();
    this.stream?.cancel();
    this.context.abort(end);
  }

  /** Ends a stream in the midst of it with an error. One that has brought no value yet may still be a plain reply. */
  endStream({ error, end }: StreamLimit): void {
    if (this.stream?.begun) this.expire(error, end);
  }

  /** As {@link endStream}, unless the stream began within a limit, which ends it in its own time. */
  endOldStream(limit: StreamLimit): void {
    if (this.stream?.limited === false) this.endStream(limit);
  }

  /** Ends it with an error for the caller. */
  expire(error: unknown, end: GevCallEnd = 'shutdown'): void {
    if (this.ended) return;
    this.owner.reply(this.id, 'error', error);
    this.cancel(end);
  }

  /** Of the packet. */
  get pattern(): string {
    return this.context.getPattern();
  }

  /** Its last reply is out, or nobody waits for one. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.context.release();
    this.owner.finish(this);
  }

  private settle(value: unknown): void {
    this.running = false;
    if (this.ended) {
      this.owner.reclaim(); // it was cancelled: nobody subscribes any more
      return;
    }
    if (isStream(value)) {
      this.stream = new RpcStream(this.owner, this);
      this.stream.start(value);
      return;
    }
    this.owner.reply(this.id, 'last', value, this.plainId);
    this.end();
  }

  private fail(error: unknown): void {
    this.running = false;
    if (this.ended) {
      this.owner.reclaim();
      return;
    }
    this.owner.failed(this.context, error);
    this.owner.reply(this.id, 'error', toErrorReply(error));
    this.end();
  }
}
