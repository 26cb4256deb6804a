import { isIPv4 } from 'node:net';
import { type AddressRange, addressNumber, AddressRanges, MAPPED } from '../engine/address-ranges.js';
import { GevOptionsError } from './errors.js';
import { show } from './option-checks.js';

const MAPPED_PREFIX = 96;

/**
 * Addresses and CIDR blocks as ranges. An IPv4 address and the same one mapped into IPv6 are one; IPv6 blocks around the mapped
 * addresses do not hold these.
 *
 * @param name of the option, for its errors
 * @throws GevOptionsError for what is no address, and for blocks that say something else than they seem to
 */
export function parseAddressList(value: unknown, name: string): AddressRanges {
  if (!Array.isArray(value))
    throw wrong(name, value, "must be an array of addresses and CIDR blocks, such as ['10.0.0.0/8']");
  return new AddressRanges(value.flatMap((entry: unknown, index) => parseBlock(entry, `${name}[${index}]`)));
}

function parseBlock(entry: unknown, name: string): AddressRange[] {
  const [host = '', length, ...rest] = typeof entry === 'string' ? entry.split('/') : [];
  const address = addressNumber(host);
  if (address === undefined || rest.length > 0) {
    throw wrong(
      name,
      entry,
      "must be an address or a CIDR block, such as '10.0.0.0/8', '2001:db8::/32' or '::1'",
    );
  }
  const bits = isIPv4(host) ? 32 : 128;
  const prefix = length === undefined ? bits : prefixOf(length, bits, name, entry);
  const free = BigInt(bits - prefix);
  const first = (address >> free) << free;
  const last = first | ((1n << free) - 1n);
  if (bits === 128 && prefix < MAPPED_PREFIX && isMapped(address)) {
    throw wrong(
      name,
      entry,
      `is wider than ::ffff:0:0/96, where IPv4 addresses end: write '0.0.0.0/0' for all of those`,
    );
  }
  if (first !== address)
    throw wrong(name, entry, `has bits set behind its prefix: which of the two is meant?`);
  if (bits === 32 || last < MAPPED.first || first > MAPPED.last || isMapped(first)) return [{ first, last }];
  return [
    { first, last: MAPPED.first - 1n },
    { first: MAPPED.last + 1n, last },
  ];
}

function isMapped(address: bigint): boolean {
  return address >= MAPPED.first && address <= MAPPED.last;
}

function prefixOf(text: string, bits: number, name: string, entry: unknown): number {
  const prefix = /^\d{1,3}$/.test(text) ? Number(text) : Infinity;
  if (prefix <= bits) return prefix;
  throw wrong(name, entry, `must have a prefix of 0 to ${bits} bits`);
}

function wrong(name: string, value: unknown, what: string): GevOptionsError {
  return new GevOptionsError(name, `Option "${name}" ${what}; it is ${show(value)}`);
}
