import type { DeadlineQueue, Timed } from './deadlines.js';
import type { GevRecordOptions } from './gev.record.js';
import type { Link } from './link.js';
import type { WaitingRoom } from './waiting-room.js';

/**
 * A request or an event on its way: waiting for a connection, or, a request only, for its replies.
 */
export abstract class Outgoing implements Timed<Outgoing> {
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
  ) {}

  /** Here is the connection to take. */
  abstract take(link: Link): void;
  /** There is none to be had, or something else is wrong. */
  abstract fail(error: unknown): void;
  /** Its time is up. */
  abstract expire(): void;
}
