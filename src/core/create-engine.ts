import { NativeEngine } from '../engine/native/native-engine.js';
import type { Engine, EventTurns } from '../engine/engine.js';
import type { Delivery } from '../engine/inbound-listener.js';
import { JavaScriptEngine } from '../engine/javascript/javascript-engine.js';
import { BindingError, loadBinding, type NativeBinding } from '../engine/native/binding.js';
import type { EngineOptions } from '../engine/engine-options.js';
import { isNode, runtime } from '../engine/runtime.js';
import { accessRules } from './access.js';
import { engineFraming, isText } from './engine-framing.js';
import { GevNativeError } from './errors.js';
import { longestFrame } from './frame-limits.js';
import { warnOfMissing } from './missing-options.js';
import type { GevEngine, ResolvedReactorOptions } from './options.js';
import { resolveClientTls } from './tls/resolve-tls.js';
import { LOAD_BALANCES } from './validate-options.js';

/**
 * The loops of a reactor, not running yet.
 *
 * @throws GevNativeError when the addon is asked for and missing
 */
export function createEngine(options: ResolvedReactorOptions, turns: () => EventTurns | undefined): Engine {
  const setup = {
    options: engineOptions(options),
    delivery: deliveryOf(options),
    longestFrame: longestFrame(options),
    turns,
  };
  const binding = findBinding(options.engine ?? 'auto', speaksTls(options));
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

function speaksTls({ listeners, dialTls }: ResolvedReactorOptions): boolean {
  return dialTls !== undefined || listeners.some(({ tlsOptions }) => tlsOptions !== false);
}

/** The addon, able to speak TLS where that is asked for. */
function loadAble(engine: GevEngine, withTls: boolean): NativeBinding | undefined {
  const binding = loadBinding();
  if (!withTls || binding.missingOpenSsl === undefined) return binding;
  const why = `This build of Node keeps OpenSSL's ${binding.missingOpenSsl} from addons, which TLS needs`;
  if (engine === 'native') throw new GevNativeError(`${why}: leave option "engine" out`);
  warnOnce(why);
  return undefined;
}

/** The addon; undefined where JavaScript is to serve. */
function findBinding(engine: GevEngine, withTls: boolean): NativeBinding | undefined {
  if (engine === 'javascript') return undefined;
  try {
    if (isNode) return loadAble(engine, withTls);
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

function engineOptions(options: ResolvedReactorOptions): EngineOptions {
  const keepAlive = options.keepAlive || { delay: 0, interval: 0, count: 0 };
  return {
    loops: options.loops,
    loadBalance: LOAD_BALANCES.indexOf(options.loadBalance),
    maxConnections: options.maxConnections,
    maxConnectionsPerAddress: options.maxConnectionsPerAddress,
    acceptRate: options.acceptRate,
    acceptRatePerAddress: options.acceptRatePerAddress,
    access: accessRules({ allow: options.allow, deny: options.deny }),
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
    framing: engineFraming(options.codec.framing, options.maxFrameLength),
    maxPartialBytes: options.maxPartialBytes,
    maxTotalSendBuffer: options.maxTotalSendBuffer,
    startPaused: options.gateConnections,
    dialTls: options.dialTls && resolveClientTls(options.dialTls),
    patterns: options.patterns,
  };
}
