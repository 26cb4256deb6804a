import type { Subscriber, Unsubscribable } from 'rxjs';
import { type GevAbortedError, GevTimeoutError } from '../../core/client-errors.js';
import { debug } from '../../core/debug.js';
import { describe } from '../../core/errors.js';
import { isThenable } from '../../core/values.js';
import type { GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import type { Calls } from './calls.js';
import { Outgoing } from './outgoing.js';
import { retryDelay } from './retry.js';
import type { PacketContent } from './serialization.js';
import { type Session, type SessionCall, sessionOf } from './session.js';

/**
 * One request, from the subscription to what `send()` returned to its last reply, or what ends it otherwise. It is its own
 * teardown, so that it costs no closure for that.
 */
export class Call extends Outgoing implements SessionCall, Unsubscribable {
  id = 0;
  /** Where it was sent; undefined while it waits for a connection. */
  private session: Session | undefined = undefined;
  /** It has brought a value, and another is to come. */
  private answered = false;
  /** How often it was sent again. */
  private tries = 0;
  /** Ends the wait before it is sent again. */
  private cancelRetry: (() => void) | undefined = undefined;

  /** Somebody has subscribed: the time runs. */
  constructor(
    private readonly calls: Calls,
    private readonly subscriber: Subscriber<unknown>,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
  ) {
    super(calls.setup, pattern, data, options);
    this.begin();
  }

  override take(link: Link): void {
    const session = sessionOf(link);
    const id = this.calls.nextId();
    this.id = id;
    this.session = session;
    const { packets } = this.setup;
    try {
      const content = packets.write(this.pattern, this.data, String(id), this.setup.metadataOf(this));
      if (isThenable(content)) this.sendLater(session, content);
      else this.send(session, content);
    } catch (error) {
      this.fail(error);
    }
  }

  /** While its packet was made, the request may have been given up, and the connection closed or asked to end. */
  private send(session: Session, content: PacketContent): void {
    if (this.settled) return;
    if (session.usable) session.send(this, content);
    else {
      this.session = undefined;
      this.runInAsyncScope(() => this.setup.assign(this));
    }
  }

  private sendLater(session: Session, content: PromiseLike<PacketContent>): void {
    const { unsent } = this.calls;
    unsent.add(this);
    content
      .then((ready) => {
        unsent.delete(this);
        this.send(session, ready);
      })
      .then(undefined, (error: unknown) => {
        unsent.delete(this);
        this.fail(error);
      });
  }

  /** A reply without an error. */
  deliver(response: unknown, last: boolean): void {
    if (last) this.settle();
    else {
      this.answered = true;
      this.setup.deadlines.remove(this);
    }
    this.runInAsyncScope(Call.hand, undefined, this, response, last);
  }

  /** To be called in the context of the call. */
  private static hand(this: void, call: Call, response: unknown, last: boolean): void {
    const { subscriber } = call;
    if (!last || response !== undefined) {
      let value: unknown;
      try {
        value = call.calls.setup.serializeResponse(response);
      } catch (error) {
        call.abandon();
        subscriber.error(error);
        return;
      }
      subscriber.next(value);
    }
    if (last) subscriber.complete();
  }

  /** @param refused the server itself says that it has not begun it */
  override fail(error: unknown, refused = false): void {
    if (this.settled || this.retry(error, refused)) return;
    if (debug.enabled) debug('request %d failed: %s', this.id, describe(error));
    this.settle();
    this.tellError(error);
  }

  /** Sends it again in a while, if that was asked for and does no harm. Its time goes on. */
  private retry(error: unknown, refused: boolean): boolean {
    const retry = this.options?.retry;
    if (retry === undefined || this.answered) return false;
    const { calls } = this;
    const { clock } = calls.setup;
    const delay = retryDelay(retry, this.tries, error, refused, clock.random());
    if (delay === undefined || (this.queue !== undefined && clock.now() + delay >= this.deadline))
      return false;
    this.tries++;
    calls.retries++;
    if (debug.enabled) {
      debug('request %d is sent again in %d ms, after: %s', this.id, Math.round(delay), describe(error));
    }
    this.session?.forget(this);
    this.session = undefined;
    const cancelTimer = clock.after(delay, () => {
      this.cancelRetry?.();
      calls.safely(() => this.runInAsyncScope(() => this.setup.assign(this)));
    });
    calls.unsent.add(this);
    this.cancelRetry = () => {
      this.cancelRetry = undefined;
      calls.unsent.delete(this);
      cancelTimer();
    };
    return true;
  }

  override expire(): void {
    this.calls.timeouts++;
    debug('request %d has timed out', this.id);
    this.session?.timedOut(this.id);
    this.abandon();
    this.tellError(new GevTimeoutError(this.pattern, this.timeout));
  }

  protected override abort(error: GevAbortedError): void {
    if (this.settled) return;
    this.calls.safely(() => {
      this.abandon();
      this.tellError(error);
    });
  }

  /** By RxJS: the subscriber has left, if it has not been told the end. */
  unsubscribe(): void {
    this.abandon();
  }

  /** Nobody waits any more: frees the id and tells the server. */
  private abandon(): void {
    if (this.settled) return;
    this.session?.cancel(this.id);
    this.settle();
  }

  private settle(): void {
    this.settled = true;
    this.setup.hold.down();
    this.setup.deadlines.remove(this);
    this.calls.unsent.delete(this);
    this.session?.forget(this);
    this.offlineQueue?.leave(this);
    this.cancelRetry?.();
    this.release?.();
  }

  private tellError(error: unknown): void {
    this.runInAsyncScope(() => this.subscriber.error(this.shown(error)));
  }

  /** What a subscriber is to see of an error; the error itself, where the hook for that fails. */
  private shown(error: unknown): unknown {
    const { setup } = this.calls;
    try {
      return setup.serializeError(error);
    } catch (cause) {
      setup.onFailure(cause);
      return error;
    }
  }
}
