import type { GevRefusal } from '../engine/refusals.js';
import { GevError } from './errors.js';

const REFUSAL_WORDS: Readonly<Record<GevRefusal, string>> = {
  maxConnections: 'maxConnections is reached: raise it, or find out who does not leave',
  descriptors: 'the process had no descriptor for it: raise the limit of open files (ulimit -n)',
  handshakeTimeout: 'it was not established within handshakeTimeout',
  handshakeClosed: 'it ended before it was established',
  denied: 'the address is not among those that may come in (allow, deny)',
  maxConnectionsPerAddress: 'maxConnectionsPerAddress is reached',
  acceptRate: 'acceptRate is reached',
  acceptRatePerAddress: 'acceptRatePerAddress is reached',
  proxyUntrusted: 'the listener is for proxies, and that one is not trusted (proxyProtocol, trusted)',
  proxyHeader: 'what came is no PROXY header of the version that is expected (proxyProtocol)',
  tls: 'its TLS handshake failed',
};

/**
 * Clients were turned away before they were connections; told at most once a second for each cause.
 *
 * @publicApi
 */
export class GevRefusedError extends GevError {
  constructor(
    /** Why: as in `stats().refusals`. */
    readonly refusal: GevRefusal,
    /** How many since it was last told, of one loop. */
    readonly count: number,
    /** The last one's address, where it has one. */
    readonly remoteAddress: string | undefined,
    detail = '',
  ) {
    const who = count === 1 ? 'A client' : `${count} clients`;
    const from = remoteAddress === undefined ? '' : ` (${count === 1 ? '' : 'the last: '}${remoteAddress})`;
    const why = detail === '' ? REFUSAL_WORDS[refusal] : `${REFUSAL_WORDS[refusal]}: ${detail}`;
    super('ERR_GEV_REFUSED', `${who} refused${from}: ${why}`);
  }
}
