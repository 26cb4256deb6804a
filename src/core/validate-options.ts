import { availableParallelism } from 'node:os';
import { inspect } from 'node:util';
import { FRAMINGS, type GevCodec } from '../protocol/codec.js';
import { nestJson } from '../protocol/nest-json.js';
import {
  DEFAULT_BACKLOG,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_DRAIN_TIMEOUT,
  DEFAULT_HALF_CLOSE_TIMEOUT,
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_HOST,
  DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
  DEFAULT_MAX_FRAME_LENGTH,
  DEFAULT_MAX_SEND_BUFFER,
  DEFAULT_OVERFLOW_LIMIT,
  DEFAULT_PORT,
  MAX_DELAY,
} from './constants.js';
import { GevOptionsError } from './errors.js';
import type {
  GevLoadBalance,
  GevLogger,
  GevOverflow,
  GevServerOptions,
  ResolvedGevServerOptions,
} from './options.js';

const MAX_INT32 = 2 ** 31 - 1;
const MAX_LOOPS = 64;
const LOAD_BALANCES: readonly GevLoadBalance[] = [
  'round-robin',
  'least-connections',
  'source-hash',
  'kernel',
];
const OVERFLOWS: readonly GevOverflow[] = ['buffer', 'drop-newest', 'drop-oldest', 'latest', 'close'];
/** The longest frame: what fits a length of ten digits and V8's longest string. */
const MAX_FRAME_LENGTH = 512 * 1024 * 1024;

/** Every option, once: a name forgotten here does not compile. */
const KNOWN_OPTIONS = {
  host: true,
  port: true,
  path: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  loops: true,
  loadBalance: true,
  maxConnections: true,
  codec: true,
  concurrency: true,
  maxFrameLength: true,
  maxBufferSize: true,
  incompleteFrameTimeout: true,
  incompleteMessageTimeout: true,
  serializer: true,
  deserializer: true,
  noDelay: true,
  keepAlive: true,
  receiveBufferSize: true,
  sendBufferSize: true,
  highWaterMark: true,
  lowWaterMark: true,
  maxSendBuffer: true,
  maxSendBufferSize: true,
  overflow: true,
  overflowLimit: true,
  idleTimeout: true,
  closeTimeout: true,
  halfCloseTimeout: true,
  drainTimeout: true,
  logger: true,
} satisfies Record<keyof GevServerOptions, true>;
const OPTION_NAMES = Object.keys(KNOWN_OPTIONS);

/**
 * Checks the options and fills in the defaults.
 *
 * @throws GevOptionsError naming the option, its value and what is allowed
 */
export function validateServerOptions(options: GevServerOptions = {}): ResolvedGevServerOptions {
  if (typeof options !== 'object' || options === null) {
    throw new GevOptionsError('options', `The options must be an object, not ${show(options)}`);
  }
  refuseUnknown(options);
  const path = text(options, 'path');
  if (path !== undefined && (options.host !== undefined || options.port !== undefined)) {
    throw new GevOptionsError('path', 'Option "path" excludes "host" and "port": give one or the other');
  }
  const codec = resolveCodec(options.codec);
  const highWaterMark = integer(options, 'highWaterMark', 1, MAX_INT32) ?? DEFAULT_HIGH_WATER_MARK;
  const lowWaterMark = integer(options, 'lowWaterMark', 0, MAX_INT32) ?? Math.floor(highWaterMark / 4);
  const maxSendBuffer =
    alias(options, 'maxSendBuffer', 'maxSendBufferSize', 1, MAX_INT32) ??
    Math.max(DEFAULT_MAX_SEND_BUFFER, highWaterMark);
  inOrder('lowWaterMark', lowWaterMark, 'highWaterMark', highWaterMark);
  inOrder('highWaterMark', highWaterMark, 'maxSendBuffer', maxSendBuffer);

  return {
    host: text(options, 'host') ?? DEFAULT_HOST,
    port: integer(options, 'port', 0, 65_535) ?? DEFAULT_PORT,
    path,
    backlog: integer(options, 'backlog', 1, MAX_INT32) ?? DEFAULT_BACKLOG,
    reusePort: flag(options, 'reusePort') ?? false,
    ipv6Only: flag(options, 'ipv6Only') ?? false,
    loops: resolveLoops(options.loops),
    loadBalance: choice(options, 'loadBalance', LOAD_BALANCES) ?? 'round-robin',
    maxConnections: integer(options, 'maxConnections', 0, MAX_INT32) ?? 0,
    codec,
    concurrency: integer(options, 'concurrency', 1, MAX_INT32) ?? codec.concurrency,
    maxFrameLength:
      alias(options, 'maxFrameLength', 'maxBufferSize', 1, MAX_FRAME_LENGTH) ?? DEFAULT_MAX_FRAME_LENGTH,
    incompleteFrameTimeout:
      alias(options, 'incompleteFrameTimeout', 'incompleteMessageTimeout', 0, MAX_DELAY) ??
      DEFAULT_INCOMPLETE_FRAME_TIMEOUT,
    serializer: withMethod(options, 'serializer', 'serialize'),
    deserializer: withMethod(options, 'deserializer', 'deserialize'),
    noDelay: flag(options, 'noDelay') ?? true,
    keepAlive: resolveKeepAlive(options.keepAlive),
    receiveBufferSize: integer(options, 'receiveBufferSize', 1, MAX_INT32),
    sendBufferSize: integer(options, 'sendBufferSize', 1, MAX_INT32),
    highWaterMark,
    lowWaterMark,
    maxSendBuffer,
    overflow: choice(options, 'overflow', OVERFLOWS) ?? 'buffer',
    overflowLimit: integer(options, 'overflowLimit', 1, MAX_INT32) ?? DEFAULT_OVERFLOW_LIMIT,
    idleTimeout: integer(options, 'idleTimeout', 0, MAX_DELAY) ?? 0,
    closeTimeout: integer(options, 'closeTimeout', 0, MAX_DELAY) ?? DEFAULT_CLOSE_TIMEOUT,
    halfCloseTimeout: integer(options, 'halfCloseTimeout', 0, MAX_DELAY) ?? DEFAULT_HALF_CLOSE_TIMEOUT,
    drainTimeout: integer(options, 'drainTimeout', 0, MAX_DELAY) ?? DEFAULT_DRAIN_TIMEOUT,
    logger: resolveLogger(options.logger),
    gateConnections: false,
  };
}

/** How many loop threads `'auto'` means on a machine of so many cores. */
export function automaticLoops(cores: number): number {
  return cores <= 2 ? 0 : Math.min(4, cores - 1);
}

function resolveLoops(value: unknown): number {
  if (value === undefined || value === 'auto') return automaticLoops(availableParallelism());
  if (isIntegerIn(value, 0, MAX_LOOPS)) return value;
  throw refuse('loops', value, `'auto' or an integer from 0 to ${MAX_LOOPS}`);
}

function resolveKeepAlive(value: unknown): boolean | number {
  if (value === undefined) return false;
  if (typeof value === 'boolean' || isIntegerIn(value, 1, MAX_DELAY)) return value;
  throw refuse('keepAlive', value, `a boolean or an integer from 1 to ${MAX_DELAY} (milliseconds)`);
}

function resolveCodec(codec: Partial<GevCodec> | null | undefined): GevCodec {
  if (codec === undefined) return nestJson();
  if (
    typeof codec === 'object' &&
    codec !== null &&
    typeof codec.name === 'string' &&
    FRAMINGS.includes(codec.framing!) &&
    isIntegerIn(codec.concurrency, 1, MAX_INT32) &&
    (codec.copy === undefined || typeof codec.copy === 'boolean')
  ) {
    return codec as GevCodec;
  }
  throw refuse('codec', codec, 'a codec such as nestJson() or raw()');
}

function resolveLogger(logger: Partial<GevLogger> | null | undefined): GevLogger | undefined {
  if (logger === undefined) return undefined;
  if (typeof logger === 'object' && logger !== null) {
    const methods = [logger.log, logger.warn, logger.error];
    if (methods.every((method) => typeof method === 'function')) return logger as GevLogger;
  }
  throw refuse('logger', logger, 'an object with the methods log, warn and error');
}

function integer(
  options: GevServerOptions,
  name: keyof GevServerOptions,
  least: number,
  most: number,
): number | undefined {
  const value: unknown = options[name];
  if (value === undefined || isIntegerIn(value, least, most)) return value;
  throw refuse(name, value, `an integer from ${least} to ${most}`);
}

/** An option that goes by two names, ours and Nest's. */
function alias(
  options: GevServerOptions,
  name: keyof GevServerOptions,
  nestName: keyof GevServerOptions,
  least: number,
  most: number,
): number | undefined {
  const value = integer(options, name, least, most);
  const nestValue = integer(options, nestName, least, most);
  if (value !== undefined && nestValue !== undefined) {
    throw new GevOptionsError(
      nestName,
      `Option "${nestName}" is another name of "${name}": give one of them`,
    );
  }
  return value ?? nestValue;
}

function withMethod<Name extends 'serializer' | 'deserializer'>(
  options: GevServerOptions,
  name: Name,
  method: string,
): GevServerOptions[Name] {
  const value: GevServerOptions[Name] = options[name];
  if (value === undefined) return undefined;
  if (typeof (value as unknown as Record<string, unknown> | null)?.[method] === 'function') return value;
  throw refuse(name, value, `an object with the method ${method}`);
}

function flag(options: GevServerOptions, name: keyof GevServerOptions): boolean | undefined {
  const value: unknown = options[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw refuse(name, value, 'true or false');
}

function text(options: GevServerOptions, name: keyof GevServerOptions): string | undefined {
  const value: unknown = options[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length > 0 && !value.includes('\0')) return value;
  throw refuse(name, value, 'a non-empty string without NUL');
}

function choice<Value extends string>(
  options: GevServerOptions,
  name: keyof GevServerOptions,
  allowed: readonly Value[],
): Value | undefined {
  const value: unknown = options[name];
  if (value === undefined) return undefined;
  if ((allowed as readonly unknown[]).includes(value)) return value as Value;
  throw refuse(name, value, `one of ${allowed.map((each) => `'${each}'`).join(', ')}`);
}

function inOrder(smaller: string, small: number, greater: string, great: number): void {
  if (small <= great) return;
  throw new GevOptionsError(
    smaller,
    `Option "${smaller}" (${small}) must not be greater than "${greater}" (${great})`,
  );
}

function refuseUnknown(options: GevServerOptions): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(KNOWN_OPTIONS, name)) continue;
    const near = nearest(name);
    throw new GevOptionsError(
      name,
      `There is no option "${name}"${near === undefined ? `; options: ${OPTION_NAMES.join(', ')}` : `: did you mean "${near}"?`}`,
    );
  }
}

function refuse(option: string, value: unknown, allowed: string): GevOptionsError {
  return new GevOptionsError(option, `Option "${option}" must be ${allowed}, not ${show(value)}`);
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 60 });
}

function isIntegerIn(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}

/** The known option closest to a name nobody knows, if one is close enough to be a slip. */
function nearest(name: string): string | undefined {
  let best: string | undefined;
  let least = Math.floor(name.length / 3) + 1;
  for (const known of OPTION_NAMES) {
    const distance = editDistance(name.toLowerCase(), known.toLowerCase());
    if (distance < least || (distance === least && best === undefined)) {
      best = known;
      least = distance;
    }
  }
  return best;
}

/** Levenshtein: insertions, deletions and substitutions of one letter. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let line = 1; line <= left.length; line++) {
    const next = [line];
    for (let column = 1; column <= right.length; column++) {
      const substitution = row[column - 1]! + (left[line - 1] === right[column - 1] ? 0 : 1);
      next.push(Math.min(row[column]! + 1, next[column - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[right.length]!;
}
