import process from 'node:process';
import { BenchError } from './errors.mjs';
import { binary, serverScript } from './paths.mjs';

/** @typedef {import('./workload.mjs').Contender} Contender */

const node = (script) => [process.execPath, serverScript(script)];

/** @type {Contender} */
export const rawEpoll = { id: 'raw-epoll', label: 'raw C epoll', command: [binary('raw_epoll')] };

/** @type {Contender} */
export const nodeNet = { id: 'node-net', label: 'node:net', command: node('node-net.mjs') };

/** @type {Contender} */
export const gevInline = {
  id: 'gev-inline',
  label: 'nestjs-gev inline',
  command: node('nest-gev.mjs'),
  env: { LOOPS: '0' },
};

/** @type {Contender} */
export const gevThreaded = {
  id: 'gev-threaded',
  label: 'nestjs-gev threaded',
  command: node('nest-gev.mjs'),
  env: { LOOPS: '1' },
};

/** The same with `@Payload()` on the handler's parameter: what Nest's parameter pipeline adds. @type {Contender} */
export const gevInlinePayload = {
  id: 'gev-inline-payload',
  label: 'nestjs-gev inline, @Payload()',
  command: node('nest-gev.mjs'),
  env: { LOOPS: '0', PARAMETERS: 'decorated' },
};

/**
 * Before anything is measured: is the package there that the contenders import?
 *
 * @param {readonly Contender[]} contenders
 */
export async function requireBuilt(contenders) {
  if (!contenders.some(({ id }) => id.startsWith('gev'))) return;
  try {
    await import('nestjs-gev');
  } catch (error) {
    throw new BenchError(
      `nestjs-gev does not load (${error.message}). Run npm run build first, or leave it out: ` +
        '--contenders raw-epoll,node-net',
    );
  }
}
