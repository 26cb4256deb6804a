import type { Socket } from 'node:net';
import type { Opening } from '../inbound-listener.js';

type Addresses = Pick<Opening, 'remoteHost' | 'remotePort' | 'localHost' | 'localPort' | 'family'>;

/** Of TCP. An IPv4 peer of a dual-stack server shows as IPv4. */
export function addressesOf({
  remoteAddress = '',
  remotePort = 0,
  localAddress = '',
  localPort = 0,
}: Socket): Addresses {
  const remoteHost = plain(remoteAddress);
  const family = remoteHost.includes(':') ? 6 : 4;
  return { remoteHost, remotePort, localHost: plain(localAddress), localPort, family };
}

/** Of a Unix socket at that path. */
export function unixAddresses(path: string): Addresses {
  return { remoteHost: '', remotePort: 0, localHost: path, localPort: 0, family: 1 };
}

function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}
