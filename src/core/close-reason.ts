/**
 * Why a connection ended. In the order of native/reactor/close_reason.h: keep in step.
 *
 * - `peer`: the peer sent FIN, and what it was owed has been written
 * - `reset`: the peer reset the connection, or it broke
 * - `idle`: nothing was received or sent for `idleTimeout`, and no reply was owed
 * - `backpressure`: more output waited than `maxSendBuffer`
 * - `protocol`: invalid, too long or too slow a frame
 * - `limit`: over `maxConnections`
 * - `local`: closed by this application
 * - `shutdown`: the server stops
 * - `handshake`: `@OnConnect` handlers did not settle within `handshakeTimeout`
 * - `age`: it had lasted as long as `maxConnectionAge` allows
 * - `replaced`: another connection has taken over its identity, see {@link GevConnection.identify}
 * - `error`: anything else; `connection.closeError` carries the system's code
 *
 * @publicApi
 */
export type CloseReason = (typeof CLOSE_REASONS)[number];

export const CLOSE_REASONS = [
  'peer',
  'reset',
  'idle',
  'backpressure',
  'protocol',
  'limit',
  'local',
  'shutdown',
  'error',
  'handshake',
  'age',
  'replaced',
] as const;

/** The number the native side knows a reason by. */
export function closeReasonCode(reason: CloseReason): number {
  return CLOSE_REASONS.indexOf(reason);
}
