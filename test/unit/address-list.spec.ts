import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { BlockList } from 'node:net';
import { addressNumber, type AddressRanges } from '../../src/engine/address-ranges.js';
import { parseAddressList } from '../../src/core/address-list.js';
import { GevOptionsError } from '../../src/core/errors.js';

const parse = (...entries: unknown[]) => parseAddressList(entries, 'allow');
const has = (ranges: AddressRanges, host: string) => ranges.has(addressNumber(host)!);

describe('lists of addresses', () => {
  it.each([
    [
      '10.0.0.0/8',
      ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'],
      ['9.255.255.255', '11.0.0.0', '::10.1.2.3'],
    ],
    ['10.0.0.1', ['10.0.0.1'], ['10.0.0.0', '10.0.0.2']],
    ['10.0.0.1/32', ['10.0.0.1'], ['10.0.0.0', '10.0.0.2']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255', '::ffff:1.2.3.4'], ['::', '::1', 'ffff::']],
    ['::/0', ['::', '::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], ['1.2.3.4', '::ffff:1.2.3.4']],
    ['::/64', ['::', '::1', '::1:0:0:0'], ['1.2.3.4', '0:0:0:1::']],
    ['::1/128', ['::1'], ['::', '::2']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.0']],
    ['::ffff:0:0/96', ['10.1.2.3', '255.255.255.255'], ['::1']],
    ['2001:db8::/32', ['2001:db8::', '2001:db8:ffff::1'], ['2001:db9::']],
  ])('E3: %s holds what is in it and nothing else', (entry, inside, outside) => {
    const ranges = parse(entry);
    for (const host of inside) expect([host, has(ranges, host)]).toEqual([host, true]);
    for (const host of outside) expect([host, has(ranges, host)]).toEqual([host, false]);
  });

  it.each([
    ['10.0.0.1/8', /bits set behind its prefix/],
    ['2001:db8::1/32', /bits set behind its prefix/],
    ['::ffff:0:0/95', /wider than ::ffff:0:0\/96/],
    ['::ffff:10.0.0.0/8', /wider than ::ffff:0:0\/96/],
    ['10.0.0.0/33', /prefix of 0 to 32/],
    ['::/129', /prefix of 0 to 128/],
    ['10.0.0.0/', /prefix of 0 to 32/],
    ['10.0.0.0/-1', /prefix of 0 to 32/],
    ['10.0.0.0/8/8', /must be an address or a CIDR block/],
    ['10.0.0', /must be an address or a CIDR block/],
    ['fe80::1%eth0', /must be an address or a CIDR block/],
    ['localhost', /must be an address or a CIDR block/],
    ['', /must be an address or a CIDR block/],
    [7, /must be an address or a CIDR block/],
  ])('E3: %s is refused', (entry, message) => {
    expect(() => parse('10.0.0.0/8', entry)).toThrow(GevOptionsError);
    expect(() => parse('10.0.0.0/8', entry)).toThrow(message);
    expect(() => parse('10.0.0.0/8', entry)).toThrow('Option "allow[1]"');
  });

  it('E3: what is no array is refused', () => {
    expect(() => parseAddressList('10.0.0.0/8', 'deny')).toThrow(/Option "deny" must be an array/);
  });

  it('E3: any list holds what a BlockList of Node for each kind does', () => {
    const v4 = fc.ipV4();
    const v6 = fc.ipV6().filter((host) => !/^::ffff:/i.test(host) && addressNumber(host) !== undefined);
    const block = fc.oneof(
      fc.tuple(v4, fc.integer({ min: 0, max: 32 }), fc.constant(32)),
      fc.tuple(v6, fc.integer({ min: 0, max: 128 }), fc.constant(128)),
    );
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 8 }),
        fc.array(fc.oneof(v4, v6), { minLength: 1 }),
        (blocks, hosts) => {
          const lists = { ipv4: new BlockList(), ipv6: new BlockList() }; // in one, ::/0 would hold IPv4
          const entries = blocks.map(([host, prefix, bits]) => {
            const base = baseOf(host, prefix, bits);
            const kind = bits === 32 ? 'ipv4' : 'ipv6';
            lists[kind].addSubnet(base, prefix, kind);
            return `${base}/${prefix}`;
          });
          const ranges = parse(...entries);
          for (const host of [...hosts, ...blocks.map(([host]) => host)]) {
            const kind = host.includes(':') ? 'ipv6' : 'ipv4';
            const expected = lists[kind].check(host, kind);
            expect([host, has(ranges, host)]).toEqual([host, expected]);
          }
        },
      ),
    );
  });
});

/** That block's first address. */
function baseOf(host: string, prefix: number, bits: number): string {
  const free = BigInt(bits - prefix);
  const number = ((addressNumber(host)! >> free) << free) & ((1n << 128n) - 1n);
  const groups = Array.from({ length: 8 }, (_, i) => (number >> BigInt(112 - 16 * i)) & 0xffffn);
  if (bits === 128) return groups.map((group) => group.toString(16)).join(':');
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8n, group & 255n])
    .join('.');
}
