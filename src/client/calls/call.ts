import type { Subscriber, Unsubscribable } from 'rxjs';
import type { GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import { Outgoing } from './outgoing.js';
import type { PendingCalls } from './pending-calls.js';

/** One subscription to what `send()` returned. It is its own teardown, so that a call costs no closure for that. */
export class Call extends Outgoing implements Unsubscribable {
  id = 0;
  /** Where it was sent; undefined while it waits for a connection. */
  link: Link | undefined = undefined;
  /** Its subscriber has been told the end, or has left. */
  settled = false;
  /** It has brought a value, and another is to come. */
  answered = false;
  /** How often it was sent again. */
  tries = 0;
  /** Ends the wait before it is sent again. */
  cancelRetry: (() => void) | undefined = undefined;
  /** Stops listening to the signal of the request. */
  release: (() => void) | undefined = undefined;

  constructor(
    private readonly calls: PendingCalls,
    readonly subscriber: Subscriber<unknown>,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
  ) {
    super(pattern, data, options);
  }

  override take(link: Link): void {
    this.calls.send(this, link);
  }

  override fail(error: unknown): void {
    this.calls.fail(this, error);
  }

  override expire(): void {
    this.calls.expire(this);
  }

  /** By RxJS: the subscriber has left, if it has not been told the end. */
  unsubscribe(): void {
    this.calls.abandon(this);
  }
}
