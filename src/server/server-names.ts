import { inCommon } from '../core/both-builds.js';

/** The names that servers of this process have, for warnings. */
export const serverNames = inCommon('server-names', () => ({
  /** Of every server that was made. */
  made: new Set<string>(),
  /** How many servers of a name listen. */
  listening: new Map<string, number>(),
}));

/** A server begins to listen, or stops. */
export function countListening(name: string | undefined, change: 1 | -1): void {
  if (name === undefined) return;
  const { listening } = serverNames;
  const count = (listening.get(name) ?? 0) + change;
  if (count > 0) listening.set(name, count);
  else listening.delete(name);
}

/** A server in a message: `server "devices"`. */
export function titleOf(name: string | undefined): string {
  return name === undefined ? 'server' : `server "${name}"`;
}

/** What is said when a handler of a server that speaks RPC returns what is not sent. */
export function unsentText(handler: string, name: string | undefined): string {
  return (
    `What ${handler} returns is not sent: the ${titleOf(name)} speaks RPC, where @OnConnect() and @OnMessage() ` +
    "observe. Use conn.send(), or bind the method to a server with raw(): { server: 'name' }"
  );
}
