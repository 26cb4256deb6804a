import { DEFAULT_HALF_CLOSE_TIMEOUT } from '../core/constants.js';
import type { ReactorOptions } from '../core/options.js';
import { nestJson } from '../protocol/nest-json.js';
import type { ResolvedGevClientOptions } from './gev.client.options.js';

/** How long a connection that closes may flush, and wait for the server's FIN. */
const CLOSE_TIMEOUT_MS = 1_000;

/** What a client's reactor works from. */
export function reactorOptions(options: ResolvedGevClientOptions): ReactorOptions {
  return {
    loops: options.loops,
    codec: nestJson(),
    maxFrameLength: options.maxFrameLength,
    incompleteFrameTimeout: options.incompleteFrameTimeout,
    noDelay: options.noDelay,
    keepAlive: options.keepAlive,
    userTimeout: options.userTimeout,
    receiveBufferSize: undefined,
    sendBufferSize: undefined,
    highWaterMark: options.highWaterMark,
    alwaysRead: true,
    lowWaterMark: Math.floor(options.highWaterMark / 4),
    maxSendBuffer: options.maxSendBuffer,
    idleTimeout: 0,
    idleOn: 'any',
    closeTimeout: CLOSE_TIMEOUT_MS,
    halfCloseTimeout: DEFAULT_HALF_CLOSE_TIMEOUT,
    gateConnections: false,
  };
}
