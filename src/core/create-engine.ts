import cluster from 'node:cluster';
import { NativeEngine } from '../engine/native/native-engine.js';
import type { Engine, EventTurns } from '../engine/engine.js';
import { JavaScriptEngine } from '../engine/javascript/javascript-engine.js';
import { knowsReusePort } from '../engine/javascript/socket-listener.js';
import {
  BindingError,
  FramingKind,
  loadBinding,
  type NativeBinding,
  type NativeReactorOptions,
} from '../engine/native/binding.js';
import { GevNativeError } from './errors.js';
import { longestFrame } from './frame-limits.js';
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
  const framesText = options.codec.framing === 'nest-json';
  const setup = {
    options: toNative(options),
    delivery: framesText
      ? ('text' as const)
      : options.codec.copy === false
        ? ('borrowed' as const)
        : ('copied' as const),
    longestFrame: framesText ? longestFrame(options) : Infinity,
    turns,
  };
  const binding = findBinding(options.engine ?? 'auto');
  if (binding !== undefined) return new NativeEngine(binding, setup);
  warnOfMissing(options);
  return new JavaScriptEngine(setup);
}

/** The addon; undefined where JavaScript is to serve. */
function findBinding(engine: GevEngine): NativeBinding | undefined {
  if (engine === 'javascript') return undefined;
  try {
    if (isNode()) return loadBinding();
    if (engine === 'native')
      throw new GevNativeError('The addon needs Node: another runtime would end the process');
    warnOnce('This is not Node');
  } catch (error) {
    if (!(error instanceof BindingError)) throw error;
    // Who names an addon wants that one.
    if (engine === 'native' || process.env.GEV_ADDON)
      throw new GevNativeError(error.message, { cause: error });
    warnOnce(error.message);
  }
  return undefined;
}

/** What passes for Node and lacks functions of libuv ends the process when the addon calls one of them. */
function isNode(): boolean {
  return process.versions.bun === undefined && process.versions.deno === undefined;
}

let warned = false;

function warnOnce(why: string): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    'The JavaScript engine serves: one thread and more CPU time a message, and without what docs/platforms.md lists. ' +
      "engine: 'javascript' says that it is meant",
    { type: 'GevWarning', code: 'GEV_JAVASCRIPT_ENGINE', detail: why },
  );
}

/** Says what was asked for and node:net does not have. */
function warnOfMissing(options: ResolvedReactorOptions): void {
  const missing = [
    options.loadBalance !== 'round-robin' && 'loadBalance',
    options.userTimeout > 0 && 'userTimeout',
    options.receiveBufferSize !== undefined && 'receiveBufferSize',
    options.sendBufferSize !== undefined && 'sendBufferSize',
    options.reusePort && !cluster.isWorker && !knowsReusePort() && 'reusePort',
  ].filter((name) => name !== false);
  if (missing.length === 0) return;
  process.emitWarning(`The JavaScript engine has no ${missing.join(', ')}: see docs/platforms.md`, {
    type: 'GevWarning',
    code: 'GEV_JAVASCRIPT_ENGINE_LACKS',
  });
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
    framing: { kind: FramingKind[options.codec.framing], maxFrameLength: options.maxFrameLength },
    maxPartialBytes: options.maxPartialBytes,
    maxTotalSendBuffer: options.maxTotalSendBuffer,
    startPaused: options.gateConnections,
    patterns: options.patterns,
  };
}
