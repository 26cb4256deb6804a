import type { OpeningProxy } from '../inbound-listener.js';

const ADDRESS = 2;
const MAPPED_PREFIX = 12;
const PORT = 18;
const TLVS = 20;

/** Reads the data of a `Proxied` event: native/protocol/proxy_step.h. */
export function proxiedOf(data: Buffer): OpeningProxy {
  const version = data[0] === 1 ? 1 : 2;
  if (data[1] === 0) return { version, destination: undefined, tlvs: [] };
  const address = data.subarray(ADDRESS, PORT);
  return {
    version,
    destination: { address: hostOf(address), port: data.readUInt16BE(PORT) },
    tlvs: tlvsOf(Buffer.from(data.subarray(TLVS))),
  };
}

function hostOf(address: Buffer): string {
  const isMapped = address.readUInt32BE(8) === 0xffff && address.subarray(0, 8).every((byte) => byte === 0);
  if (isMapped) return address.subarray(MAPPED_PREFIX).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1); // with its zeros left out
}

/** The header was checked: each is whole. */
function tlvsOf(data: Buffer): { type: number; value: Buffer }[] {
  const tlvs = [];
  for (let at = 0; at < data.length;) {
    const end = at + 3 + data.readUInt16BE(at + 1);
    tlvs.push({ type: data[at]!, value: data.subarray(at + 3, end) });
    at = end;
  }
  return tlvs;
}
