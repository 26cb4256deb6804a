import { take } from 'rxjs';
import type { GevData } from '../../core/data.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
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
    const content = replies.goAway();
    if (content === undefined) return; // the format has no word for it
    if (content instanceof Promise) void finish(target, content);
    else write(target, content);
  } catch (error) {
    target.onUntold(error);
  }
}

async function finish(target: GoAwayTarget, content: Promise<GevData>): Promise<void> {
  target.begin();
  try {
    write(target, await content);
  } catch (error) {
    target.onUntold(error);
  }
  target.complete();
}

function write(target: GoAwayTarget, content: GevData): void {
  const { connection } = target;
  if (!connection.hasRoomFor(content)) {
    connection.drain$.pipe(take(1)).subscribe(() => write(target, content));
    return;
  }
  try {
    // Nobody waits for it: a connection that closes meanwhile needs it no more.
    connection.transmit(content, () => undefined);
    target.onTold();
  } catch (error) {
    target.onUntold(error);
  }
}
