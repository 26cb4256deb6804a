/** Why a socket never became an open connection, in the order of their numbers in native/reactor/refusal.h. */
export const REFUSALS = [
  'maxConnections',
  'descriptors',
  'handshakeTimeout',
  'handshakeClosed',
  'denied',
  'maxConnectionsPerAddress',
  'acceptRate',
  'acceptRatePerAddress',
] as const;

/**
 * - `maxConnections`: that many were open
 * - `descriptors`: the process had no descriptor for it
 * - `handshakeTimeout`: it was not established within `handshakeTimeout`
 * - `handshakeClosed`: it ended, or broke, before it was established
 * - `denied`: its address is not in `allow`, or is in `deny`
 * - `maxConnectionsPerAddress`: its address had that many open
 * - `acceptRate`, `acceptRatePerAddress`: so many had come within a second
 */
export type GevRefusal = (typeof REFUSALS)[number];
