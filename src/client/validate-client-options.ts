import {
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_HOST,
  DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
  DEFAULT_MAX_FRAME_LENGTH,
  MAX_FRAME_LENGTH,
  DEFAULT_MAX_SEND_BUFFER,
  DEFAULT_PORT,
  MAX_DELAY,
} from '../core/constants.js';
import { resolveErrors } from '../core/error-codec.js';
import { GevOptionsError } from '../core/errors.js';
import { FOREIGN_CLIENT_OPTIONS } from '../core/foreign-options.js';
import {
  aliased,
  choice,
  flag,
  inOrder,
  integer,
  MAX_INT32,
  nested,
  numeric,
  port,
  refuse,
  refuseUnknown,
  socketPath,
  text,
  withMethod,
} from '../core/option-checks.js';
import { resolveCodec } from '../core/resolve-codec.js';
import { resolveLiveness } from '../core/liveness-options.js';
import { resolveClientTls } from '../core/tls/resolve-tls.js';
import type { GevClientTlsOptions } from '../core/tls/tls-options.js';
import type { GevCodec } from '../protocol/codec.js';
import { notationOf } from '../protocol/nest-packets.js';
import { objectOf, resolveEngine, resolveLogger, resolveLoops } from '../core/validate-options.js';
import type {
  GevRequestBalance,
  GevClientOptions,
  GevEjectionOptions,
  GevEndpoint,
  GevReconnectOptions,
  GevResolvedEndpoint,
  ResolvedGevClientOptions,
} from './gev.client.options.js';

const MAX_CONNECTIONS = 1024;
const MAX_ENDPOINTS = 1024;
const BALANCES: readonly GevRequestBalance[] = ['round-robin', 'least-in-flight'];

/** Every option, once: a name forgotten here does not compile. */
const KNOWN_OPTIONS = {
  host: true,
  port: true,
  path: true,
  endpoints: true,
  balance: true,
  connections: true,
  engine: true,
  loops: true,
  tlsOptions: true,
  connectTimeout: true,
  requestTimeout: true,
  reconnect: true,
  offlineQueue: true,
  ejection: true,
  codec: true,
  serializer: true,
  deserializer: true,
  errors: true,
  maxFrameLength: true,
  maxBufferSize: true,
  incompleteFrameTimeout: true,
  incompleteMessageTimeout: true,
  maxSendBuffer: true,
  maxSendBufferSize: true,
  highWaterMark: true,
  noDelay: true,
  keepAlive: true,
  userTimeout: true,
  logger: true,
} satisfies Record<keyof GevClientOptions, true>;

const DEFAULT_RECONNECT = { initialDelay: 100, maxDelay: 5_000, factor: 2, jitter: 0.5 };
const DEFAULT_EJECTION = { failures: 5, duration: 5_000 };

/**
 * Checks the options of a client and fills in the defaults. `undefined` and `null` stand for an option that is left out.
 *
 * @throws GevOptionsError naming the option, its value and what is allowed
 */
export function validateClientOptions(clientOptions: GevClientOptions = {}): ResolvedGevClientOptions {
  const options = objectOf(clientOptions);
  refuseUnknown(options, Object.keys(KNOWN_OPTIONS), { foreign: FOREIGN_CLIENT_OPTIONS });
  const endpoints = resolveEndpoints(options);
  const connections = integer(options, 'connections', 1, MAX_CONNECTIONS) ?? 1;
  const cap = aliased(options, 'maxSendBuffer', 'maxSendBufferSize', 1, MAX_INT32);
  const highWaterMark =
    integer(options, 'highWaterMark', 1, MAX_INT32) ?? Math.min(DEFAULT_HIGH_WATER_MARK, cap ?? MAX_INT32);
  const maxSendBuffer = cap ?? Math.max(DEFAULT_MAX_SEND_BUFFER, highWaterMark);
  inOrder('highWaterMark', highWaterMark, 'maxSendBuffer', maxSendBuffer);
  const reconnect = resolveReconnect(options.reconnect);
  const offlineQueue = integer(options, 'offlineQueue', 0, MAX_INT32) ?? 0;
  if (offlineQueue > 0 && reconnect === false) {
    throw new GevOptionsError(
      'offlineQueue',
      'Option "offlineQueue" needs "reconnect": without it nobody would come back for what waits',
    );
  }
  return {
    endpoints,
    balance: choice(options, 'balance', BALANCES) ?? 'round-robin',
    connections,
    engine: resolveEngine(options),
    loops: clientLoops(options.loops, endpoints.length * connections),
    tlsOptions: checkedTls(options.tlsOptions),
    connectTimeout: integer(options, 'connectTimeout', 0, MAX_DELAY) ?? 5_000,
    requestTimeout: integer(options, 'requestTimeout', 0, MAX_DELAY) ?? 30_000,
    reconnect,
    offlineQueue,
    ejection: resolveEjection(options.ejection),
    codec: resolveClientCodec(options.codec),
    serializer: withMethod(options, 'serializer', 'serialize'),
    deserializer: withMethod(options, 'deserializer', 'deserialize'),
    errors: resolveErrors(options),
    maxFrameLength:
      aliased(options, 'maxFrameLength', 'maxBufferSize', 1, MAX_FRAME_LENGTH) ?? DEFAULT_MAX_FRAME_LENGTH,
    incompleteFrameTimeout:
      aliased(options, 'incompleteFrameTimeout', 'incompleteMessageTimeout', 0, MAX_DELAY) ??
      DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
    maxSendBuffer,
    highWaterMark,
    noDelay: flag(options, 'noDelay') ?? true,
    ...resolveLiveness(options),
    logger: resolveLogger(options.logger),
  };
}

/** A client says what Nest's clients say. */
function resolveClientCodec(given: GevClientOptions['codec']): GevCodec {
  const codec = resolveCodec(given);
  if (notationOf(codec) !== undefined) return codec;
  throw refuse(
    'codec',
    codec.name,
    "a codec that carries Nest's packets: nestJson(), msgpack() or nestPackets()",
  );
}

/** A thread more than there are connections would have nothing to do. */
function clientLoops(value: unknown, connections: number): number {
  const loops = resolveLoops(value);
  return value === undefined || value === 'auto' ? Math.min(loops, connections) : loops;
}

function resolveEndpoints(options: GevClientOptions): readonly GevResolvedEndpoint[] {
  const { endpoints } = options;
  if (endpoints === undefined) return [resolveEndpoint(options)];
  if (options.host !== undefined || options.port !== undefined || options.path !== undefined) {
    throw new GevOptionsError(
      'endpoints',
      'Option "endpoints" excludes "host", "port" and "path": give one or the others',
    );
  }
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > MAX_ENDPOINTS) {
    throw refuse('endpoints', endpoints, `an array of 1 to ${MAX_ENDPOINTS} { host, port } or { path }`);
  }
  return endpoints.map((endpoint: GevEndpoint, index) =>
    resolveEndpoint(
      nested(endpoint, `endpoints[${index}]`, ['host', 'port', 'path']),
      `endpoints[${index}].`,
    ),
  );
}

function resolveEndpoint(options: object, prefix = ''): GevResolvedEndpoint {
  const named = options as Record<string, unknown>;
  const path = socketPath(named, `${prefix}path`);
  if (path === undefined) {
    return {
      host: text(named, `${prefix}host`) ?? DEFAULT_HOST,
      port: port(named, `${prefix}port`, 1) ?? DEFAULT_PORT,
    };
  }
  if (named[`${prefix}host`] === undefined && named[`${prefix}port`] === undefined) return { path };
  throw new GevOptionsError(
    `${prefix}path`,
    `Option "${prefix}path" excludes "host" and "port": give one or the other`,
  );
}

function resolveReconnect(value: unknown): Required<GevReconnectOptions> | false {
  if (value === false) return false;
  if (value === undefined) return DEFAULT_RECONNECT;
  const options = nested(value, 'reconnect', Object.keys(DEFAULT_RECONNECT), 'or false');
  const initialDelay =
    integer(options, 'reconnect.initialDelay', 1, MAX_DELAY) ?? DEFAULT_RECONNECT.initialDelay;
  const maxDelay =
    integer(options, 'reconnect.maxDelay', 1, MAX_DELAY) ??
    Math.max(DEFAULT_RECONNECT.maxDelay, initialDelay);
  inOrder('reconnect.initialDelay', initialDelay, 'reconnect.maxDelay', maxDelay);
  return {
    initialDelay,
    maxDelay,
    factor: numeric(options, 'reconnect.factor', 1, 1000) ?? DEFAULT_RECONNECT.factor,
    jitter: numeric(options, 'reconnect.jitter', 0, 1) ?? DEFAULT_RECONNECT.jitter,
  };
}

function checkedTls(options: GevClientTlsOptions | undefined): GevClientTlsOptions | undefined {
  if (options !== undefined) resolveClientTls(options);
  return options;
}

function resolveEjection(value: unknown): Required<GevEjectionOptions> | false {
  if (value === false) return false;
  if (value === undefined) return DEFAULT_EJECTION;
  const options = nested(value, 'ejection', Object.keys(DEFAULT_EJECTION), 'or false');
  return {
    failures: integer(options, 'ejection.failures', 1, MAX_INT32) ?? DEFAULT_EJECTION.failures,
    duration: integer(options, 'ejection.duration', 1, MAX_DELAY) ?? DEFAULT_EJECTION.duration,
  };
}
