/** Where a server listens on the network. */
export interface GevNetworkAddress {
  /** The numeric address, for instance `127.0.0.1` or `::`. */
  readonly address: string;
  /** The real port, also where port 0 was asked for. */
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6';
}

/** Where a server listens in the file system: a Unix-domain socket. */
export interface GevPathAddress {
  readonly path: string;
}

/** What {@link GevServer.address} reports. */
export type GevAddress = GevNetworkAddress | GevPathAddress;

/** One of the addresses that a server listens at: what `conn.listener` tells. */
export interface GevListener {
  /** Among the server's `listeners`, from 0. */
  readonly index: number;
  /** What the option `name` says. */
  readonly name: string | undefined;
  /** The name of the codec that is spoken there. */
  readonly codec: string;
  /** Where it listens, with the real port; null before and after. */
  readonly address: GevAddress | null;
}

/** What a message shows of an address: no system has longer ones. */
const MAX_SHOWN = 256;

/** `host:port`, `[host]:port` for IPv6, or the path: for messages. */
export function formatAddress(target: {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly path?: string | undefined;
}): string {
  if (target.path !== undefined) return shorten(target.path);
  const host = shorten(target.address ?? '*');
  return `${host.includes(':') ? `[${host}]` : host}:${target.port ?? 0}`;
}

function shorten(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}… (${text.length} characters)`;
}
