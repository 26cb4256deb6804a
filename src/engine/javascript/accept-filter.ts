import { type AccessRules, addressNumber, MAPPED } from '../address-ranges.js';
import type { EngineOptions } from '../engine-options.js';
import type { GevRefusal } from '../refusals.js';
import { AcceptRate } from './accept-rate.js';

/** Addresses without a connection that are known at most. */
const CAPACITY = 65_536;
/** Of these, for one that can be forgotten. */
const LOOKED_AT = 8;

interface Client {
  connections: number;
  usedUntil: number;
}

/** Says which clients may connect. native/reactor/accept_filter.h documents it. */
export class AcceptFilter {
  private rules: AccessRules;
  private readonly maxPerAddress: number;
  private readonly rate: AcceptRate;
  private readonly ratePerAddress: AcceptRate;
  private usedUntil = 0;
  private readonly busy = new Map<bigint, Client>();
  /** Without a connection; who has rested longest first. */
  private readonly resting = new Map<bigint, Client>();

  constructor(
    options: Pick<
      EngineOptions,
      'access' | 'maxConnectionsPerAddress' | 'acceptRate' | 'acceptRatePerAddress'
    >,
  ) {
    this.rules = options.access;
    this.maxPerAddress = options.maxConnectionsPerAddress;
    this.rate = new AcceptRate(options.acceptRate);
    this.ratePerAddress = new AcceptRate(options.acceptRatePerAddress);
  }

  /** Those that come in from now on are asked by these. */
  setRules(rules: AccessRules): void {
    this.rules = rules;
  }

  /** Why that address may not have one more connection; if it may, leave() is to be called for it once. */
  admit(host: string): GevRefusal | undefined {
    const address = addressNumber(withoutZone(host));
    if (address === undefined) return undefined;
    const { allow, deny } = this.rules;
    if (deny.has(address) || allow?.has(address) === false) return 'denied';
    if (this.maxPerAddress === 0 && !this.ratePerAddress.limits) return undefined;
    const key = keyOf(address);
    const client = this.busy.get(key) ?? this.resting.get(key) ?? { connections: 0, usedUntil: 0 };
    if (this.maxPerAddress > 0 && client.connections >= this.maxPerAddress) return 'maxConnectionsPerAddress';
    const usedUntil = this.ratePerAddress.pass(client.usedUntil);
    if (usedUntil === undefined) return 'acceptRatePerAddress';
    client.usedUntil = usedUntil;
    client.connections++;
    this.resting.delete(key);
    this.busy.set(key, client);
    return undefined;
  }

  leave(host: string): void {
    const address = addressNumber(withoutZone(host));
    const key = address === undefined ? undefined : keyOf(address);
    const client = key === undefined ? undefined : this.busy.get(key);
    if (client === undefined || --client.connections > 0) return;
    this.busy.delete(key!);
    this.resting.set(key!, client);
    this.forgetSome();
  }

  /** Whether the rate of all has room for one more. Counts it if so. */
  pass(): boolean {
    const usedUntil = this.rate.pass(this.usedUntil);
    this.usedUntil = usedUntil ?? this.usedUntil;
    return usedUntil !== undefined;
  }

  private forgetSome(): void {
    const now = performance.now();
    const oldest = firstOf(this.resting, LOOKED_AT);
    for (const [key, { usedUntil }] of oldest) if (usedUntil <= now) this.resting.delete(key);
    if (this.resting.size <= CAPACITY) return;
    const [key] = oldest.find(([, { usedUntil }]) => !this.ratePerAddress.isUsedUp(usedUntil)) ?? oldest[0]!;
    this.resting.delete(key);
  }
}

/** Of IPv6 all of a /64 is one client. */
function keyOf(address: bigint): bigint {
  return address >= MAPPED.first && address <= MAPPED.last ? address : (address >> 64n) << 64n;
}

function withoutZone(host: string): string {
  return host.split('%', 1)[0]!;
}

function firstOf<Key, Value>(map: ReadonlyMap<Key, Value>, count: number): [Key, Value][] {
  const first: [Key, Value][] = [];
  for (const entry of map) {
    if (first.length === count) break;
    first.push(entry);
  }
  return first;
}
