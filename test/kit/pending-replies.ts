import type { GevConnection } from 'nestjs-gev';

/** Replies that are owed on a connection; no public member tells. */
export function pendingReplies(connection: GevConnection): number {
  return (connection as GevConnection & { pendingReplies: number }).pendingReplies;
}
