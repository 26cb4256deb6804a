import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { knowsReusePort } from '../engine/javascript/socket-listener.js';
import { runtime } from '../engine/runtime.js';
import { keepAliveOf } from './liveness-options.js';
import type { ResolvedReactorOptions } from './options.js';
import { automaticLoops } from './validate-options.js';

const told = new Set<string>();

/** Names what was asked for and the JavaScript engine does not have: each option once in a process. */
export function warnOfMissing(options: ResolvedReactorOptions): void {
  const missing = missingOptions(options).filter((name) => !told.has(name));
  if (missing.length === 0) return;
  for (const name of missing) told.add(name);
  process.emitWarning(`The JavaScript engine has no ${missing.join(', ')}: see docs/platforms.md`, {
    type: 'GevWarning',
    code: 'GEV_JAVASCRIPT_ENGINE_LACKS',
  });
}

function missingOptions(options: ResolvedReactorOptions): string[] {
  const { keepAlive } = options;
  const usual = keepAlive && keepAliveOf({ delay: keepAlive.delay });
  const found: readonly (readonly [name: string, isAskedFor: boolean])[] = [
    ['loops', options.loops > automaticLoops(availableParallelism())],
    ['loadBalance', options.loadBalance !== 'round-robin'],
    ['keepAlive.interval', keepAlive && keepAlive.interval !== (usual && usual.interval)],
    ['keepAlive.count', keepAlive && keepAlive.count !== (usual && usual.count)],
    ['userTimeout', options.userTimeout > 0],
    ['receiveBufferSize', options.receiveBufferSize !== undefined],
    ['sendBufferSize', options.sendBufferSize !== undefined],
    ['reusePort', options.reusePort && !cluster.isWorker && !knowsReusePort()],
    ['ipv6Only', options.ipv6Only && runtime.startsWith('Deno')],
  ];
  return found.filter(([, isAskedFor]) => isAskedFor).map(([name]) => name);
}
