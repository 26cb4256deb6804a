import { take } from 'rxjs';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import { promiseOf } from '../../core/values.js';
import type { Replies } from './replies.js';

/** Whom a go-away is for. */
export interface GoAwayTarget {
  readonly connection: ReactorConnection;
  /** The go-away takes its time: the connection is not to be finished before `complete`. */
  begin(): void;
  complete(): void;
  /** The go-away is on its way. */
  onTold(): void;
  /** It cannot be made, or sent. */
  onUntold(error: unknown): void;
}

/**
 * Asks a peer to send nothing more, and to hang up with its last reply. Never throws. A go-away for which there is no room
 * in `maxSendBuffer` waits for some.
 */
export function goAway(target: GoAwayTarget, replies: Replies): void {
  try {
    const packet = replies.goAway();
    if (packet === undefined) return; // the format has no word for it
    const promise = promiseOf(packet);
    if (promise === undefined) write(target, JSON.stringify(packet));
    else void finish(target, promise);
  } catch (error) {
    target.onUntold(error);
  }
}

async function finish(target: GoAwayTarget, packet: Promise<unknown>): Promise<void> {
  target.begin();
  try {
    write(target, JSON.stringify(await packet));
  } catch (error) {
    target.onUntold(error);
  }
  target.complete();
}

function write(target: GoAwayTarget, text: string): void {
  const { connection } = target;
  if (!connection.hasRoomFor(text)) {
    connection.drain$.pipe(take(1)).subscribe(() => write(target, text));
    return;
  }
  try {
    // Nobody waits for it: a connection that closes meanwhile needs it no more.
    connection.sendFrame([text], () => undefined);
    target.onTold();
  } catch (error) {
    target.onUntold(error);
  }
}
