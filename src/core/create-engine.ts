import { NativeEngine } from '../engine/native/native-engine.js';
import type { Engine, EventTurns } from '../engine/engine.js';
import { type EngineFraming, FramingKind } from '../engine/framing.js';
import type { Delivery } from '../engine/inbound-listener.js';
import { JavaScriptEngine } from '../engine/javascript/javascript-engine.js';
import {
  BindingError,
  FramingKind,
  loadBinding,
  type NativeBinding,
  type NativeReactorOptions,
} from '../engine/native/binding.js';
import { isNode, runtime } from '../engine/runtime.js';
import type { GevCodec } from '../protocol/codec.js';
import type { GevFraming } from '../protocol/framing.js';
import { isUtf8 } from './connection-framing.js';
import { GevNativeError } from './errors.js';
import { type FrameLimits, longestFrame } from './frame-limits.js';
import { warnOfMissing } from './missing-options.js';
import type { ResolvedReactorOptions, GevEngine, GevLoadBalance } from './options.js';

const LOAD_BALANCES: readonly GevLoadBalance[] = [
  'round-robin',
  'least-connections',
  'source-hash',
  'kernel',
];

/**
 * The loops of a reactor, not running yet.
 *
 * @throws GevNativeError when the addon is asked for and missing
 */
export function createEngine(options: ResolvedReactorOptions, turns: () => EventTurns | undefined): Engine {
  const setup = {
    options: toNative(options),
    delivery: deliveryOf(options),
    longestFrame: longestFrame(options),
    turns,
  };
  const binding = findBinding(options.engine ?? 'auto');
  if (binding !== undefined) return new NativeEngine(binding, setup);
  warnOfMissing(options);
  return new JavaScriptEngine(setup);
}

/** As most messages come: that of the first listener, unless others have use for copies. */
function deliveryOf({ listeners }: ResolvedReactorOptions): Delivery {
  const [{ codec }] = listeners;
  if (isText(codec.framing)) return 'text';
  const borrowed = listeners.every(({ codec: { framing } }) => framing.kind === 'raw' && !framing.copy);
  return borrowed ? 'borrowed' : 'copied';
}

function isText(framing: GevFraming): boolean {
  return framing.kind === 'nest-tcp' || ('encoding' in framing && isUtf8(framing.encoding));
}

/** What an engine has to know of a framing. */
export function engineFraming({ framing }: GevCodec, { maxFrameLength }: FrameLimits): EngineFraming {
  const text = isText(framing);
  switch (framing.kind) {
    case 'nest-tcp':
      return { kind: FramingKind['nest-tcp'], maxFrameLength };
    case 'delimited':
      return {
        ...{ kind: FramingKind.delimited, text },
        maxFrameLength: Math.min(framing.maxLength ?? maxFrameLength, maxFrameLength),
        delimiter: Buffer.from(framing.delimiter as string),
        stripCarriageReturn: framing.stripCarriageReturn,
      };
    case 'length-field': {
      const { length, endian, offset, adjustment, includesHeader, strip, maxLength } = framing;
      return {
        ...{ kind: FramingKind['length-field'], text },
        maxFrameLength: Math.min(maxLength ?? maxFrameLength, maxFrameLength),
        lengthField: {
          size: length === 'varint' ? 0 : length,
          littleEndian: endian === 'little',
          ...{ offset, adjustment, includesHeader, strip: strip === 'header' ? -1 : strip },
        },
      };
    }
    default:
      return { kind: FramingKind.raw, maxFrameLength };
  }
}

/** The addon; undefined where JavaScript is to serve. */
function findBinding(engine: GevEngine): NativeBinding | undefined {
  if (engine === 'javascript') return undefined;
  try {
    if (isNode) return loadBinding();
    if (engine === 'native')
      throw new GevNativeError(
        `The native engine needs Node, and this is ${runtime}: leave option "engine" out, or ask for 'javascript'`,
      );
    warnOnce(`The native engine needs Node, and this is ${runtime}`);
  } catch (error) {
    if (!(error instanceof BindingError)) throw error;
    // Who names an addon wants that one.
    if (engine === 'native' || process.env.GEV_ADDON)
      throw new GevNativeError(error.message, { cause: error });
    warnOnce(error.summary, error.message);
  }
  return undefined;
}

let warned = false;

function warnOnce(why: string, detail?: string): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    `${why}: the JavaScript engine serves, on one thread, with more CPU time a message and without what docs/platforms.md ` +
      "lists. engine: 'javascript' says that it is meant",
    { type: 'GevWarning', code: 'GEV_JAVASCRIPT_ENGINE', ...(detail !== undefined && { detail }) },
  );
}

function toNative(options: ResolvedReactorOptions): NativeReactorOptions {
  const keepAlive = options.keepAlive || { delay: 0, interval: 0, count: 0 };
  return {
    loops: options.loops,
    loadBalance: LOAD_BALANCES.indexOf(options.loadBalance),
    maxConnections: options.maxConnections,
    backlog: options.backlog,
    reusePort: options.reusePort,
    ipv6Only: options.ipv6Only,
    noDelay: options.noDelay,
    keepAliveDelay: Math.ceil(keepAlive.delay / 1000),
    keepAliveInterval: Math.ceil(keepAlive.interval / 1000),
    keepAliveCount: keepAlive.count,
    userTimeout: options.userTimeout,
    receiveBufferSize: options.receiveBufferSize ?? 0,
    sendBufferSize: options.sendBufferSize ?? 0,
    // To the loop this is where reading pauses, and nothing else.
    highWaterMark: options.alwaysRead ? options.maxSendBuffer : options.highWaterMark,
    lowWaterMark: options.lowWaterMark,
    maxSendBuffer: options.maxSendBuffer,
    idleTimeout: options.idleTimeout,
    idleOnReceived: options.idleOn === 'received',
    handshakeTimeout: options.handshakeTimeout,
    closeTimeout: options.closeTimeout,
    halfCloseTimeout: options.halfCloseTimeout,
    incompleteFrameTimeout: options.incompleteFrameTimeout,
    framing: engineFraming(options.codec, options),
    maxPartialBytes: options.maxPartialBytes,
    maxTotalSendBuffer: options.maxTotalSendBuffer,
    startPaused: options.gateConnections,
    patterns: options.patterns,
  };
}
