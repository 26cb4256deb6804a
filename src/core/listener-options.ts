import type { GevCodec } from '../protocol/codec.js';
import type { GevProxyProtocol } from './proxy.js';
import type { GevTlsOptions } from './tls/tls-options.js';

/**
 * One of the addresses of a server: those with several have them as `listeners`, with a codec for each.
 */
export interface GevListenerOptions {
  /** What `conn.listener.name` is. Default: none. */
  readonly name?: string;
  /** Name or address to listen on. Default: the server's `host`. */
  readonly host?: string;
  /** A number, or its digits; 0 lets the system choose. Default: 3000. */
  readonly port?: number | string;
  /** Listen on this Unix-domain socket instead of host and port. */
  readonly path?: string;
  /** What is spoken there. Default: the server's `codec`. */
  readonly codec?: GevCodec;
  /** As the server's `concurrency`. Default: the server's, else the codec's. */
  readonly concurrency?: number;
  /** TLS, spoken there; false: none. Default: the server's. */
  readonly tlsOptions?: GevTlsOptions | false;
  /** As the server's. */
  readonly proxyProtocol?: GevProxyProtocol;
  /** As the server's. */
  readonly trusted?: readonly string[];
}

/** One of the listeners, with every default filled in. */
export interface ResolvedListener {
  readonly name: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly codec: GevCodec;
  readonly concurrency: number;
  readonly tlsOptions: GevTlsOptions | false;
  readonly proxyProtocol: GevProxyProtocol | undefined;
  readonly trusted: readonly string[] | undefined;
}
