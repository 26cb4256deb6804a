/** Why a socket never became an open connection, in the order of their numbers in native/reactor/refusal.h. */
export const REFUSALS = ['maxConnections', 'descriptors', 'handshakeTimeout', 'handshakeClosed'] as const;

/**
 * - `maxConnections`: that many were open
 * - `descriptors`: the process had no descriptor for it
 * - `handshakeTimeout`: it was not established within `handshakeTimeout`
 * - `handshakeClosed`: it ended, or broke, before it was established
 */
export type GevRefusal = (typeof REFUSALS)[number];
