import { endianness } from 'node:os';
import type { OpeningTls } from '../engine-tls.js';
import { verifyErrorName } from './verify-errors.js';

/** Of lengths, in front of the texts and the certificate. */
const HEADER = 16;
const LITTLE_ENDIAN = endianness() === 'LE';

/** Reads the data of a `Secured` event. `error`: of the peer's certificate; 0: none, -1: it was asked for none. */
export function securedOf(data: Buffer, resumed: number, error: number): OpeningTls {
  let at = HEADER;
  const next = (index: number): string | undefined => {
    const length = LITTLE_ENDIAN ? data.readUInt32LE(4 * index) : data.readUInt32BE(4 * index);
    at += length;
    return length === 0 ? undefined : data.toString('latin1', at - length, at);
  };
  return {
    protocol: next(0) ?? '',
    cipher: next(1) ?? '',
    alpn: next(2),
    servername: next(3),
    resumed: resumed === 1,
    authorized: error === 0,
    authorizationError: error > 0 ? verifyErrorName(error) : undefined,
    certificate: at < data.length ? Buffer.from(data.subarray(at)) : undefined,
  };
}
