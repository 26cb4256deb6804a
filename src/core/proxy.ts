import type { OpeningProxy } from '../engine/inbound-listener.js';
import type { EngineProxy } from '../engine/engine-options.js';
import { parseAddressList } from './address-list.js';
import { GevOptionsError } from './errors.js';
import { choice } from './option-checks.js';

/** Which version of the PROXY protocol is spoken. */
export type GevProxyProtocol = 'v1' | 'v2' | 'any';

/** What a proxy has said of a connection that it made for a client. Numbers of TLVs are those of haproxy's proxy-protocol.txt. */
export interface GevProxyInfo {
  readonly version: 1 | 2;
  /** What the client connected to; undefined: the proxy named no client, and the addresses are its own. */
  readonly destination: { readonly address: string; readonly port: number } | undefined;
  /** The protocol the client and the proxy have agreed on. */
  readonly alpn: string | undefined;
  /** The host name that the client asked for. */
  readonly authority: string | undefined;
  /** The proxy's name for the connection. */
  readonly uniqueId: Buffer | undefined;
  /** All that version 2 has said beside the addresses, in order. */
  readonly tlvs: readonly { readonly type: number; readonly value: Buffer }[];
}

const VERSIONS: readonly GevProxyProtocol[] = ['v1', 'v2', 'any'];
const BITS: Readonly<Record<GevProxyProtocol, number>> = { v1: 1, v2: 2, any: 3 };
const ALPN = 0x01;
const AUTHORITY = 0x02;
const UNIQUE_ID = 0x05;

/** The options of a listener that is for proxies. */
export interface ProxyOptions {
  readonly proxyProtocol: GevProxyProtocol | undefined;
  /** Undefined where there is no proxyProtocol. */
  readonly trusted: readonly string[] | undefined;
}

/**
 * @param own under the names that errors are to tell: with the prefix
 * @throws GevOptionsError
 */
export function resolveProxy(
  own: Record<string, unknown>,
  prefix: string,
  defaults: Partial<ProxyOptions>,
): ProxyOptions {
  const proxyProtocol = choice(own, `${prefix}proxyProtocol`, VERSIONS) ?? defaults.proxyProtocol;
  const trusted = (own[`${prefix}trusted`] ?? defaults.trusted) as readonly string[] | undefined;
  if (trusted !== undefined) parseAddressList(trusted, `${prefix}trusted`);
  if (proxyProtocol !== undefined && trusted === undefined) {
    throw new GevOptionsError(
      `${prefix}trusted`,
      `Option "${prefix}proxyProtocol" needs "trusted": the addresses of the proxies, such as ['10.0.0.0/24']. Whoever is believed may give any address as his own`,
    );
  }
  if (proxyProtocol === undefined && own[`${prefix}trusted`] !== undefined) {
    throw new GevOptionsError(
      `${prefix}proxyProtocol`,
      `Option "${prefix}trusted" is for proxies: give "proxyProtocol", too, 'v1', 'v2' or 'any'`,
    );
  }
  return { proxyProtocol, trusted: proxyProtocol === undefined ? undefined : trusted };
}

/** As engines have it; undefined where there is none. */
export function engineProxy({ proxyProtocol, trusted }: ProxyOptions): EngineProxy | undefined {
  if (proxyProtocol === undefined) return undefined;
  return { versions: BITS[proxyProtocol], trusted: parseAddressList(trusted, 'trusted') };
}

/** As users are told. */
export function proxyInfo({ version, destination, tlvs }: OpeningProxy): GevProxyInfo {
  const valueOf = (type: number) => tlvs.find((tlv) => tlv.type === type)?.value;
  return {
    version,
    destination,
    alpn: valueOf(ALPN)?.toString('latin1'),
    authority: valueOf(AUTHORITY)?.toString('utf8'),
    uniqueId: valueOf(UNIQUE_ID),
    tlvs,
  };
}
