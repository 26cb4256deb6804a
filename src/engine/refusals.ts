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
  'proxyUntrusted',
  'proxyHeader',
  'tls',
] as const;

/**
 * - `maxConnections`: that many were open
 * - `descriptors`: the process had no descriptor for it
 * - `handshakeTimeout`: it was not established within `handshakeTimeout`
 * - `handshakeClosed`: it ended, or broke, before it was established
 * - `denied`: its address is not in `allow`, or is in `deny`
 * - `maxConnectionsPerAddress`: its address had that many open
 * - `acceptRate`, `acceptRatePerAddress`: so many had come within a second
 * - `proxyUntrusted`: a PROXY header is expected there, and its address is not in `trusted`
 * - `proxyHeader`: it is, and something else came
 * - `tls`: its TLS handshake failed
 */
export type GevRefusal = (typeof REFUSALS)[number];
