import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { LinkFrame } from './link.js';

const NONE: readonly LinkFrame[] = [];

/**
 * What comes on a new connection before its dial has been told of it: a promise tells that, and what the loop has delivered
 * together with the connection is read before promises have their turn.
 */
export class EarlyFrames {
  private readonly frames = new Map<ReactorConnection, LinkFrame[]>();

  keep(connection: ReactorConnection, frame: LinkFrame): void {
    const kept = this.frames.get(connection);
    if (kept === undefined) this.frames.set(connection, [frame]);
    else kept.push(frame);
  }

  /** What has come, once. */
  take(connection: ReactorConnection): readonly LinkFrame[] {
    const kept = this.frames.get(connection) ?? NONE;
    this.frames.delete(connection);
    return kept;
  }
}
