import { AsyncResource } from 'node:async_hooks';
import type { DeadlineQueue, Timed } from '../../core/deadlines.js';
import type { GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import type { WaitingRoom } from '../pool/waiting-room.js';

/**
 * A request or an event on its way: waiting for a connection, or, a request only, for its replies.
 *
 * It is the asynchronous context of whoever subscribed or emitted. What it makes others do – serializers, dispatch hooks,
 * subscribers – runs in that, whatever event it is that lets it go on.
 */
export abstract class Outgoing extends AsyncResource implements Timed<Outgoing> {
  deadline = 0;
  queue: DeadlineQueue<Outgoing> | undefined = undefined;
  earlier: Outgoing | undefined = undefined;
  later: Outgoing | undefined = undefined;
  /** Where it waits for a connection. */
  room: WaitingRoom | undefined = undefined;

  constructor(
    readonly pattern: unknown,
    readonly data: unknown,
    readonly options: GevRecordOptions | undefined,
  ) {
    super('GevCall');
  }

  /** Here is the connection to take. Called in its context. */
  abstract take(link: Link): void;
  /** There is none to be had, or something else is wrong. Called in any context. */
  abstract fail(error: unknown): void;
  /** Its time is up. Called in any context. */
  abstract expire(): void;
}
