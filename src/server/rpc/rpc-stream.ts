import { Subscription, type Observable } from 'rxjs';
import type { GevCallEnd } from '../../core/errors.js';
import type { ReplyKind } from '../../protocol/nest-json/reply-writer.js';
import type { OverflowGate } from '../admission/overflow-gate.js';
import { toErrorReply, unsubscribe } from '../handlers/nest-handler.js';

/** How long a stream may go on that begins when nobody is to listen to it for long, and what ends it. */
export interface StreamLimit {
  readonly ms: number;
  readonly error: unknown;
  readonly end: GevCallEnd;
}

/** What a stream needs of the client that it goes to. */
export interface StreamOwner {
  /** Of streams that begin now; undefined: they may go on without end. */
  readonly streamLimit: StreamLimit | undefined;
  /** False: it could not be sent, and the request has been answered with an error. */
  reply(id: unknown, kind: ReplyKind, value: unknown): boolean;
  openGate(send: (value: unknown) => void): OverflowGate;
  /** The teardown of an Observable that a handler returned has thrown. */
  reportTeardown(error: unknown): void;
}

/** The call that a stream answers. */
interface StreamedCall {
  readonly id: unknown;
  /** Its last reply is out. */
  end(): void;
  /** Nothing may follow. */
  cancel(): void;
  endStream(limit: StreamLimit): void;
}

/**
 * The replies of an Observable. Each value waits for the end of the tick: should the Observable complete within it, the
 * value carries the end with it, as with Nest's own server.
 */
export class RpcStream {
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
    private readonly owner: StreamOwner,
    private readonly call: StreamedCall,
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
