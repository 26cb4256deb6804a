import { isIPv4, isIPv6 } from 'node:net';

/** Addresses from `first` to `last`, both included, as {@link addressNumber} has them. */
export interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** ::ffff:0:0/96, where IPv4 addresses are. */
export const MAPPED: AddressRange = { first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn };

const WORD = 0xffff_ffff_ffff_ffffn;
/** Of a range: two addresses of 16 bytes. */
const RANGE_BYTES = 32;

/** An address as a number of 128 bits, an IPv4 one in its mapped form; undefined for what is none, and for one with a zone. */
export function addressNumber(text: string): bigint | undefined {
  if (isIPv4(text)) return MAPPED.first | v4Number(text);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0n);
  return [...before, ...zeros, ...after].reduce((number, group) => (number << 16n) | group, 0n);
}

/** Of one side of a `::`, in 16 bits each. */
function groupsOf(text: string): bigint[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return BigInt(`0x${group}`);
    const v4 = v4Number(group);
    return [v4 >> 16n, v4 & 0xffffn];
  });
}

function v4Number(text: string): bigint {
  return text.split('.').reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

/** A set of addresses: ranges in order that do not touch. What native/reactor/address_ranges.h is on a loop. */
export class AddressRanges {
  private readonly ranges: readonly AddressRange[];

  constructor(ranges: readonly AddressRange[]) {
    const joined: { first: bigint; last: bigint }[] = [];
    for (const { first, last } of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
      const previous = joined.at(-1);
      if (previous === undefined || first > previous.last + 1n) joined.push({ first, last });
      else if (last > previous.last) previous.last = last;
    }
    this.ranges = joined;
  }

  has(address: bigint): boolean {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranges[middle]!.first <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address <= this.ranges[low - 1]!.last;
  }

  /** Each range as its first and last address, in network byte order. */
  toBytes(): Uint8Array {
    const bytes = new DataView(new ArrayBuffer(this.ranges.length * RANGE_BYTES));
    this.ranges.forEach(({ first, last }, index) => {
      [first >> 64n, first & WORD, last >> 64n, last & WORD].forEach((word, place) =>
        bytes.setBigUint64(index * RANGE_BYTES + place * 8, word),
      );
    });
    return new Uint8Array(bytes.buffer);
  }
}

/** Whom a reactor lets in. */
export interface AccessRules {
  /** Undefined: everybody. */
  readonly allow: AddressRanges | undefined;
  /** Of those. */
  readonly deny: AddressRanges;
}
