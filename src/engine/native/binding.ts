import { loadAddon } from '#native/load.cjs';
import type { EngineFraming, EngineOptions } from '../engine-options.js';
import type { EngineTls } from '../engine-tls.js';
import type { EngineAddress, EngineStats } from '../engine.js';
import { VERSION } from './version.js';

/**
 * Called for each inbound slab in turn, with a few of its descriptors at a time: those from `from` on and before `to`. The
 * slab goes back to its loop after the last of them. Returns where it stopped, behind one of them at least; as ~n where
 * messages are only queued from now on, until Node's loop has gone round. `lastTook`: µs that the last such call took, with
 * the promise jobs behind it.
 */
export type BatchListener = (
  loop: number,
  slab: number,
  from: number,
  to: number,
  lastTook: number,
) => number;

/** `AccessRules`, as `AddressRanges.toBytes()` makes them. */
export interface NativeAccess {
  /** Undefined: everybody. */
  readonly allow: Uint8Array | undefined;
  readonly deny: Uint8Array;
}

/**
 * The loops of a server or client and the memory they share with JavaScript (native/addon/reactor_wrap.h). It keeps that
 * memory, and what its callback closes over, until `stop()`, or until `listen()` or `start()` fails.
 */
export interface NativeReactor {
  /**
   * Binds and listens; before `start()`, once for each listener: the open event of a connection counts them from 0. `port`
   * -1: `host` is the path of a Unix socket. Throws an Error with `code`, `errno`, `syscall`, and closes all of them.
   */
  listen(host: string, port: number, framing?: EngineFraming, tls?: EngineTls): EngineAddress;
  /** Of connections that the listener of that number, which speaks TLS, accepts from now on. Throws what OpenSSL says. */
  setTls(listener: number, tls: EngineTls): void;
  /** Connections to the next listener begin with a PROXY header, from sources that `AddressRanges.toBytes()` made of. */
  expectProxy(versions: number, trusted: Uint8Array): void;
  /** Those that come in from now on are asked by these: {@link NativeAccess}. Throws unless it listens. */
  setAccess(allow: Uint8Array | undefined, deny: Uint8Array): void;
  /** Starts the loops. Throws likewise. */
  start(): void;
  /** Hands over the open outbound slab of a loop, which is full. */
  publish(loop: number): void;
  /** Hands over all open outbound slabs; needed only outside of a batch. */
  flush(): void;
  /** Bytes the kernel took of a connection; -1 when it is gone. */
  bytesWritten(loop: number, slot: number, generation: number): number;
  /** Bytes that came on a connection, whole frames or not; -1 when it is gone. */
  bytesReceived(loop: number, slot: number, generation: number): number;
  /** A frame that did not fit a slab, once. */
  takeLarge(loop: number, ticket: number): Buffer;
  stats(): EngineStats;
  /** Whether it keeps the process alive; from its start on it does. Nothing happens unless it runs. */
  hold(hold: boolean): void;
  /** Joins the loops and closes every descriptor. May be called within a batch; idempotent. */
  stop(): void;
}

/** Everything the addon exports: the only typed view of C++. */
export interface NativeBinding {
  /** Of the package it was built for. Another one's memory may be laid out differently. */
  readonly version: string;
  /** The function of OpenSSL that this process lacks; undefined: it has all that TLS needs. */
  readonly missingOpenSsl?: string;
  /**
   * @param inbound ArrayBuffers of SLAB_SIZE, the same number (>= 2) for each loop, loop by loop
   * @param outbound likewise; the last one of each loop is its staging slab
   * @param control 1 + loops int32 words
   */
  readonly NativeReactor: new (
    options: EngineOptions & NativeAccess,
    inbound: readonly ArrayBuffer[],
    outbound: readonly ArrayBuffer[],
    control: ArrayBuffer,
    onBatch: BatchListener,
  ) => NativeReactor;
}

/** The addon could not be loaded. The message says where it was looked for, the system's own words, and what to do. */
export class BindingError extends Error {
  override readonly name = 'BindingError';
  /** What is wrong, in a few words. */
  readonly summary: string;

  constructor(problem: string, { tried, bundled }: ReturnType<typeof loadAddon>, cause?: unknown) {
    const summary = `No native addon for ${process.platform}-${process.arch} (${problem})`;
    super(
      `${summary}. Looked for:\n  ${tried.join('\n  ')}\n${remedy(bundled)}`,
      cause === undefined ? undefined : { cause },
    );
    this.summary = summary;
  }
}

function remedy(bundled: boolean): string {
  if (process.env.GEV_ADDON) return 'GEV_ADDON names that file: build it again, or unset GEV_ADDON.';
  if (bundled)
    return (
      'A bundler has taken the code and left the addon behind: keep nestjs-gev out of the bundle ("external"), or copy ' +
      'node_modules/nestjs-gev/prebuilds beside it.'
    );
  return 'Build it from source with "npm run build:native" in the package folder (needs a C++20 compiler).';
}

let loaded: NativeBinding | undefined;

/**
 * The addon, loaded on first use so that importing the package never fails.
 *
 * @throws BindingError when it is not there, does not load, or belongs to another version of the package
 */
export function loadBinding(): NativeBinding {
  if (loaded !== undefined) return loaded;
  const found = loadAddon();
  if (found.error !== undefined)
    throw new BindingError(`it does not load: ${(found.error as Error).message}`, found, found.error);
  if (found.addon === undefined) throw new BindingError('not found', found);
  const binding = found.addon as NativeBinding;
  if (binding.version !== VERSION)
    throw new BindingError(`it was built for version ${binding.version}, this is ${VERSION}`, found);
  return (loaded = binding);
}
