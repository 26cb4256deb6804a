import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import {
  DEFAULT_BACKLOG,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_DRAIN_TIMEOUT,
  DEFAULT_HALF_CLOSE_TIMEOUT,
  DEFAULT_HANDSHAKE_TIMEOUT,
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
  DEFAULT_MAX_FRAME_LENGTH,
  DEFAULT_MAX_SEND_BUFFER,
  DEFAULT_OVERFLOW_LIMIT,
  DEFAULT_STREAM_DRAIN_TIMEOUT,
  MAX_DELAY,
  MAX_FRAME_LENGTH,
} from './constants.js';
import { checkAccess } from './access.js';
import { defaultMaxPartialBytes, defaultMaxTotalSendBuffer } from './budgets.js';
import { resolveErrors } from './error-codec.js';
import { GevOptionsError } from './errors.js';
import { FOREIGN_SERVER_OPTIONS } from './foreign-options.js';
import { resolveLiveness } from './liveness-options.js';
import {
  aliased,
  choice,
  flag,
  given,
  inOrder,
  integer,
  isIntegerIn,
  MAX_INT32,
  refuse,
  refuseUnknown,
  show,
  text,
  withMethod,
} from './option-checks.js';
import { notationOf } from '../protocol/nest-packets.js';
import { resolveListeners } from './resolve-listeners.js';
import type {
  GevEngine,
  GevIdleOn,
  GevConnectionBalance,
  GevLogger,
  GevOverflow,
  GevServerOptions,
  ResolvedGevServerOptions,
} from './options.js';

const MAX_LOOPS = 64;
/** Accepts a second: more than any system does, and a clock of nanoseconds tells them apart. */
const MAX_RATE = 1_000_000;
/** In the order of their numbers for an engine. */
export const LOAD_BALANCES: readonly GevConnectionBalance[] = [
  'round-robin',
  'least-connections',
  'source-hash',
  'kernel',
];
const ENGINES: readonly GevEngine[] = ['auto', 'native', 'javascript'];
const OVERFLOWS: readonly GevOverflow[] = ['buffer', 'drop-newest', 'drop-oldest', 'latest', 'close'];
const IDLE_ON: readonly GevIdleOn[] = ['any', 'received'];
const MAX_BUDGET = Number.MAX_SAFE_INTEGER;

/** Every option, once: a name forgotten here does not compile. */
const KNOWN_OPTIONS = {
  name: true,
  host: true,
  port: true,
  path: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  engine: true,
  loops: true,
  loadBalance: true,
  maxConnections: true,
  maxConnectionsPerAddress: true,
  acceptRate: true,
  acceptRatePerAddress: true,
  proxyProtocol: true,
  trusted: true,
  allow: true,
  deny: true,
  codec: true,
  listeners: true,
  tlsOptions: true,
  concurrency: true,
  maxInFlight: true,
  maxFrameLength: true,
  maxBufferSize: true,
  incompleteFrameTimeout: true,
  incompleteMessageTimeout: true,
  maxPartialBytes: true,
  serializer: true,
  deserializer: true,
  errors: true,
  noDelay: true,
  keepAlive: true,
  userTimeout: true,
  receiveBufferSize: true,
  sendBufferSize: true,
  highWaterMark: true,
  lowWaterMark: true,
  maxSendBuffer: true,
  maxSendBufferSize: true,
  maxTotalSendBuffer: true,
  overflow: true,
  overflowLimit: true,
  idleTimeout: true,
  idleOn: true,
  handshakeTimeout: true,
  closeTimeout: true,
  halfCloseTimeout: true,
  drainTimeout: true,
  streamDrainTimeout: true,
  maxConnectionAge: true,
  logger: true,
} satisfies Record<keyof GevServerOptions, true>;
const OPTION_NAMES = Object.keys(KNOWN_OPTIONS);
/** Options that say something of frames, of requests, and of Nest's packets only. */
const FRAME_OPTIONS: readonly (keyof GevServerOptions)[] = [
  'maxFrameLength',
  'maxBufferSize',
  'incompleteFrameTimeout',
  'incompleteMessageTimeout',
  'maxPartialBytes',
];
const REQUEST_OPTIONS: readonly (keyof GevServerOptions)[] = ['maxInFlight', 'errors'];
const NEST_OPTIONS: readonly (keyof GevServerOptions)[] = ['serializer', 'deserializer'];

/** @throws GevOptionsError for another word, the environment's included */
export function resolveEngine(options: { readonly engine?: GevEngine }): GevEngine {
  return (
    choice(options, 'engine', ENGINES) ??
    choice({ GEV_ENGINE: process.env.GEV_ENGINE || undefined }, 'GEV_ENGINE', ENGINES) ??
    'auto'
  );
}

/**
 * Checks the options and fills in the defaults. `undefined` and `null` stand for an option that is left out.
 *
 * @throws GevOptionsError naming the option, its value and what is allowed
 */
export function validateServerOptions(serverOptions: GevServerOptions = {}): ResolvedGevServerOptions {
  const options = objectOf(serverOptions);
  refuseUnknown(options, OPTION_NAMES, { foreign: FOREIGN_SERVER_OPTIONS });
  const { codec, concurrency, host, port, path, proxyProtocol, trusted, listeners } =
    resolveListeners(options);
  const cap = aliased(options, 'maxSendBuffer', 'maxSendBufferSize', 1, MAX_INT32);
  const highWaterMark =
    integer(options, 'highWaterMark', 1, MAX_INT32) ?? Math.min(DEFAULT_HIGH_WATER_MARK, cap ?? MAX_INT32);
  const lowWaterMark = integer(options, 'lowWaterMark', 0, MAX_INT32) ?? Math.floor(highWaterMark / 4);
  const maxSendBuffer = cap ?? Math.max(DEFAULT_MAX_SEND_BUFFER, highWaterMark);
  inOrder('lowWaterMark', lowWaterMark, 'highWaterMark', highWaterMark);
  inOrder('highWaterMark', highWaterMark, 'maxSendBuffer', maxSendBuffer);
  const maxFrameLength =
    aliased(options, 'maxFrameLength', 'maxBufferSize', 1, MAX_FRAME_LENGTH) ?? DEFAULT_MAX_FRAME_LENGTH;
  const maxPartialBytes =
    integer(options, 'maxPartialBytes', 1, MAX_BUDGET) ?? defaultMaxPartialBytes(maxFrameLength);
  inOrder('maxFrameLength', maxFrameLength, 'maxPartialBytes', maxPartialBytes);

  return {
    name: text(options, 'name'),
    host,
    port,
    path,
    listeners,
    backlog: integer(options, 'backlog', 1, MAX_INT32) ?? DEFAULT_BACKLOG,
    reusePort: flag(options, 'reusePort') ?? cluster.isWorker,
    ipv6Only: flag(options, 'ipv6Only') ?? false,
    engine: resolveEngine(options),
    loops: resolveLoops(options.loops),
    loadBalance: choice(options, 'loadBalance', LOAD_BALANCES) ?? 'round-robin',
    maxConnections: integer(options, 'maxConnections', 0, MAX_INT32) ?? 0,
    maxConnectionsPerAddress: integer(options, 'maxConnectionsPerAddress', 0, MAX_INT32) ?? 0,
    acceptRate: integer(options, 'acceptRate', 0, MAX_RATE) ?? 0,
    acceptRatePerAddress: integer(options, 'acceptRatePerAddress', 0, MAX_RATE) ?? 0,
    proxyProtocol,
    trusted,
    ...checkAccess(options),
    codec,
    concurrency,
    maxInFlight: integer(options, 'maxInFlight', 1, MAX_INT32) ?? Infinity,
    maxFrameLength,
    incompleteFrameTimeout:
      aliased(options, 'incompleteFrameTimeout', 'incompleteMessageTimeout', 0, MAX_DELAY) ??
      DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
    maxPartialBytes,
    serializer: withMethod(options, 'serializer', 'serialize'),
    deserializer: withMethod(options, 'deserializer', 'deserialize'),
    errors: resolveErrors(options),
    noDelay: flag(options, 'noDelay') ?? true,
    ...resolveLiveness(options),
    receiveBufferSize: integer(options, 'receiveBufferSize', 1, MAX_INT32),
    sendBufferSize: integer(options, 'sendBufferSize', 1, MAX_INT32),
    highWaterMark,
    lowWaterMark,
    maxSendBuffer,
    maxTotalSendBuffer: integer(options, 'maxTotalSendBuffer', 1, MAX_BUDGET) ?? defaultMaxTotalSendBuffer(),
    overflow: choice(options, 'overflow', OVERFLOWS) ?? 'buffer',
    overflowLimit: integer(options, 'overflowLimit', 1, MAX_INT32) ?? DEFAULT_OVERFLOW_LIMIT,
    idleTimeout: integer(options, 'idleTimeout', 0, MAX_DELAY) ?? 0,
    idleOn: choice(options, 'idleOn', IDLE_ON) ?? 'any',
    handshakeTimeout: integer(options, 'handshakeTimeout', 0, MAX_DELAY) ?? DEFAULT_HANDSHAKE_TIMEOUT,
    closeTimeout: integer(options, 'closeTimeout', 0, MAX_DELAY) ?? DEFAULT_CLOSE_TIMEOUT,
    halfCloseTimeout: integer(options, 'halfCloseTimeout', 0, MAX_DELAY) ?? DEFAULT_HALF_CLOSE_TIMEOUT,
    drainTimeout: integer(options, 'drainTimeout', 0, MAX_DELAY) ?? DEFAULT_DRAIN_TIMEOUT,
    streamDrainTimeout: integer(options, 'streamDrainTimeout', 0, MAX_DELAY) ?? DEFAULT_STREAM_DRAIN_TIMEOUT,
    maxConnectionAge: integer(options, 'maxConnectionAge', 0, MAX_DELAY) ?? 0,
    logger: resolveLogger(options.logger),
  };
}

/** Options that were given, and that none of the codecs has a use for. */
export function idleOptionsOf(options: GevServerOptions, { listeners }: ResolvedGevServerOptions): string[] {
  const codecs = listeners.map(({ codec }) => codec);
  const used = new Set<keyof GevServerOptions>();
  if (codecs.some(({ framing }) => framing.kind !== 'raw')) FRAME_OPTIONS.forEach((name) => used.add(name));
  if (codecs.some(({ packets }) => packets !== undefined)) REQUEST_OPTIONS.forEach((name) => used.add(name));
  if (codecs.some((codec) => notationOf(codec) !== undefined)) NEST_OPTIONS.forEach((name) => used.add(name));
  return [...REQUEST_OPTIONS, ...FRAME_OPTIONS, ...NEST_OPTIONS].filter(
    (name) => options[name] !== undefined && options[name] !== null && !used.has(name),
  );
}

/** The options that were given, without those that are `undefined` or `null`. */
export function objectOf<Options extends object>(options: Options): Options {
  if (typeof options === 'object' && options !== null) return given(options);
  throw new GevOptionsError('options', `The options must be an object, not ${show(options)}`);
}

/** How many loop threads `'auto'` means on a machine of so many cores. */
export function automaticLoops(cores: number): number {
  return cores <= 2 ? 0 : Math.min(4, cores - 1);
}

/** @throws GevOptionsError */
export function resolveLoops(value: unknown): number {
  if (value === undefined || value === 'auto') return automaticLoops(availableParallelism());
  if (isIntegerIn(value, 0, MAX_LOOPS)) return value;
  throw refuse('loops', value, `'auto' or an integer from 0 to ${MAX_LOOPS}`);
}

export function resolveLogger(logger: Partial<GevLogger> | null | undefined): GevLogger | undefined {
  if (logger === undefined) return undefined;
  if (typeof logger === 'object' && logger !== null) {
    const methods = [logger.log, logger.warn, logger.error];
    if (methods.every((method) => typeof method === 'function')) return logger as GevLogger;
  }
  throw refuse('logger', logger, 'an object with the methods log, warn and error');
}
