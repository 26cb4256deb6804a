import type { ReactorOptions } from '../core/options.js';
import type { ResolvedGevClientOptions } from './gev.client.options.js';

/** How long a connection that closes may flush, and wait for the server's FIN. */
const CLOSE_TIMEOUT_MS = 1_000;

/** What a client's reactor works from. */
export function reactorOptions(options: ResolvedGevClientOptions): ReactorOptions {
  return {
    codec: options.codec,
    engine: options.engine,
    loops: options.loops,
    maxFrameLength: options.maxFrameLength,
    incompleteFrameTimeout: options.incompleteFrameTimeout,
    noDelay: options.noDelay,
    keepAlive: options.keepAlive,
    userTimeout: options.userTimeout,
    highWaterMark: options.highWaterMark,
    maxSendBuffer: options.maxSendBuffer,
    alwaysRead: true,
    closeTimeout: CLOSE_TIMEOUT_MS,
    ...(options.tlsOptions && { dialTls: options.tlsOptions, handshakeTimeout: options.connectTimeout }),
  };
}
