import { types } from 'node:util';
import { Subscription, type Observable } from 'rxjs';
import type { GevCallEnd } from '../../core/errors.js';
import type { GevContext } from '../../context/gev.context.js';
import { promiseOf } from '../../core/values.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import type { NestHandler } from '../connections/event-handlers.js';
import { isStream, unsubscribe } from '../handler-result.js';
import { INTERNAL_ERROR } from './nest-errors.js';
import { type OverflowGate } from '../admission/overflow-gate.js';
import type { RpcConnection } from './rpc-connection.js';

/** How long a stream may go on that begins when nobody is to listen to it for long, and what ends it. */
export interface StreamLimit {
  readonly ms: number;
  readonly error: unknown;
  readonly end: GevCallEnd;
}

/** One request, from its handler to its last reply. It is a link in its connection's list of calls in flight. */
export class RpcCall {
  /** Kept by {@link CallList}. */
  previous: RpcCall | undefined;
  next: RpcCall | undefined;

  private ended = false;
  /** The handler has begun and has not settled. */
  private running = false;
  private stream: ReplyToStream | undefined;

  constructor(
    private readonly owner: RpcConnection,
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

  private settle(value: unknown): void {
    this.running = false;
    if (this.ended) {
      this.owner.reclaim(); // it was cancelled: nobody subscribes any more
      return;
    }
    if (isStream(value)) {
      this.stream = new ReplyToStream(this.owner, this);
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
}

/**
 * The replies of an Observable. Each value waits for the end of the tick: should the Observable complete within it, the
 * value carries the end with it, as with Nest's own server.
 */
class ReplyToStream {
  /** A value has been sent. */
  begun = false;
  /** It ends by a timer of its own. */
  limited = false;
  private readonly subscription = new Subscription();
  private readonly gate: OverflowGate;
  private held: unknown;
  private holds = false;
  private ended = false;
  private cancelled = false;

  constructor(
    private readonly owner: RpcConnection,
    private readonly call: RpcCall,
  ) {
    this.gate = owner.openGate((value) => this.send(value));
  }

  start(source: Observable<unknown>): void {
    try {
      this.subscription.add(
        source.subscribe({
          next: (value) => this.take(value),
          error: (error: unknown) => this.fail(error),
          complete: () => this.complete(),
        }),
      );
    } catch (error) {
      // Of an Observable of RxJS only the teardown can throw, once it has ended.
      if (this.ended) this.owner.reportTeardown(error);
      else this.fail(error);
    }
  }

  cancel(): void {
    this.cancelled = true;
    this.holds = false;
    this.gate.close();
    unsubscribe(this.subscription, (error) => this.owner.reportTeardown(error));
  }

  private send(value: unknown): void {
    if (!this.begun) this.begin();
    // What could not be sent has ended the request with an error: nothing may follow.
    if (!this.cancelled && !this.owner.reply(this.call.id, 'value', value)) this.call.cancel();
  }

  /** The first value: what ends soon behind it is a reply. */
  private begin(): void {
    this.begun = true;
    const limit = this.owner.streamLimit;
    if (limit === undefined) return;
    this.limited = true;
    const timer = setTimeout(() => this.call.endStream(limit), limit.ms).unref();
    this.subscription.add(() => clearTimeout(timer));
  }

  private take(value: unknown): void {
    if (this.cancelled) return; // an Observable that emits all at once notices too late
    if (this.holds) this.gate.push(this.held);
    else process.nextTick(() => this.release());
    this.held = value;
    this.holds = true;
  }

  private release(): void {
    if (!this.holds || this.cancelled) return;
    this.holds = false;
    const { held } = this;
    this.held = undefined;
    this.gate.push(held);
  }

  private fail(error: unknown): void {
    this.ended = true;
    this.release();
    this.gate.release();
    if (this.cancelled) return;
    this.owner.reply(this.call.id, 'error', toErrorReply(error));
    this.call.end();
  }

  private complete(): void {
    this.ended = true;
    this.gate.release();
    if (this.cancelled) return;
    if (this.holds) this.owner.reply(this.call.id, 'last', this.held);
    else this.owner.reply(this.call.id, 'end', undefined);
    this.holds = false;
    this.call.end();
  }
}

/** What a caller is told of an error. One that JSON would show as `{}` says at least that there was one. */
function toErrorReply(error: unknown): unknown {
  const blank = types.isNativeError(error) && Object.keys(error).length === 0 && !('toJSON' in error);
  return blank ? INTERNAL_ERROR : error;
}

/** The calls of one connection that are in flight: added and removed without a look-up. */
export class CallList {
  private first: RpcCall | undefined;
  private size = 0;

  get length(): number {
    return this.size;
  }

  add(call: RpcCall): void {
    call.next = this.first;
    if (this.first !== undefined) this.first.previous = call;
    this.first = call;
    this.size++;
  }

  remove(call: RpcCall): void {
    if (call.previous === undefined) this.first = call.next;
    else call.previous.next = call.next;
    if (call.next !== undefined) call.next.previous = call.previous;
    call.previous = call.next = undefined; // whoever keeps it is not to keep the others
    this.size--;
  }

  find(id: unknown): RpcCall | undefined {
    let call = this.first;
    while (call !== undefined && call.id !== id) call = call.next;
    return call;
  }

  /**
   * Calls `visit` for each that is there now, whatever becomes of the others meanwhile. Each has a context of its own: what
   * the serializer or a teardown of one enters the next does not see.
   */
  forEach(visit: (call: RpcCall) => void): void {
    const calls: RpcCall[] = [];
    for (let call = this.first; call !== undefined; call = call.next) calls.push(call);
    for (const call of calls) inFreshScope(() => visit(call));
  }
}
