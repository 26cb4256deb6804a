import {
  BindingError,
  type BatchListener,
  loadBinding,
  type NativeReactor,
  type NativeReactorOptions,
} from '../native/binding.js';
import { CONTROL_OPEN_SLAB, SLAB_SIZE } from '../native/layout.js';
import { FRAMINGS } from '../protocol/codec.js';
import { GevNativeError } from './errors.js';
import type { GevLoadBalance, ResolvedReactorOptions } from './options.js';
import type { LoopMemory } from './reactor-loop.js';

const INBOUND_SLABS = 4;
const OUTBOUND_SLABS = 5; // one of them the staging slab
const LOAD_BALANCES: readonly GevLoadBalance[] = [
  'round-robin',
  'least-connections',
  'source-hash',
  'kernel',
];

/**
 * The native side of a reactor, not running yet, and the memory that each of its loops shares with JavaScript.
 *
 * @throws GevNativeError when the addon is missing
 */
export function createNativeReactor(
  options: ResolvedReactorOptions,
  onBatch: BatchListener,
): { readonly native: NativeReactor; readonly memory: readonly LoopMemory[] } {
  const loopCount = Math.max(options.loops, 1);
  const control = new Int32Array(CONTROL_OPEN_SLAB + loopCount);
  const memory = Array.from({ length: loopCount }, () => ({
    inbound: slabs(INBOUND_SLABS),
    outbound: slabs(OUTBOUND_SLABS),
    control,
  }));
  try {
    const { NativeReactor } = loadBinding();
    const native = new NativeReactor(
      toNative(options),
      memory.flatMap(({ inbound }) => inbound),
      memory.flatMap(({ outbound }) => outbound),
      control.buffer,
      onBatch,
    );
    return { native, memory };
  } catch (error) {
    if (error instanceof BindingError) throw new GevNativeError(error.message, { cause: error });
    throw error;
  }
}

function slabs(count: number): ArrayBuffer[] {
  return Array.from({ length: count }, () => new ArrayBuffer(SLAB_SIZE));
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
    framing: FRAMINGS.indexOf(options.codec.framing),
    maxFrameLength: options.maxFrameLength,
    maxPartialBytes: options.maxPartialBytes,
    maxTotalSendBuffer: options.maxTotalSendBuffer,
    startPaused: options.gateConnections,
    patterns: options.patterns,
  };
}
