import { join } from 'node:path';
import process from 'node:process';
import { BenchError } from './errors.mjs';
import { benchFolder, binary, clientScript, serverScript } from './paths.mjs';

/** @typedef {import('./workload.mjs').Contender} Contender */

/** @param {string} script of servers/ */
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

/** The same with a pipe bound to the controller: what Nest's pipeline adds. @type {Contender} */
export const gevInlinePiped = {
  id: 'gev-inline-piped',
  label: 'nestjs-gev inline, a pipe bound',
  command: node('nest-gev.mjs'),
  env: { LOOPS: '0', PIPELINE: '1' },
};

/** With `raw({ copy: false })`: handlers see the reactor's own memory for the length of a turn. @type {Contender} */
export const gevInlineBorrowed = {
  id: 'gev-inline-borrowed',
  label: 'nestjs-gev inline, copy: false',
  command: node('nest-gev.mjs'),
  env: { LOOPS: '0', COPY: 'false' },
};

/**
 * The contenders of the codecs workload.
 *
 * @param {'line' | 'length'} framing
 */
export function framed(framing) {
  const gev = (id, label, script, env) => ({
    ...{ id, label, command: node(script) },
    env: { CODEC: framing, LOOPS: '0', ...env },
  });
  const nodeNetWriting = (writes, label) => ({
    ...{
      id: `node-net-${writes}`,
      label: `node:net by hand, ${label}`,
      command: node('node-net-frames.mjs'),
    },
    env: { FRAMING: framing, WRITES: writes },
  });
  return {
    raw: {
      id: 'raw-frames',
      label: 'raw C epoll',
      command: [binary('raw_frames')],
      env: { FRAMING: framing },
    },
    each: nodeNetWriting('each', 'a write a message'),
    corked: nodeNetWriting('corked', 'corked'),
    joined: nodeNetWriting('joined', 'replies joined'),
    core: gev('gev-core-inline', 'nestjs-gev/core inline', 'gev-core.mjs'),
    nest: gev('gev-inline', 'nestjs-gev inline, @OnMessage', 'nest-gev.mjs'),
    piped: gev('gev-inline-piped', 'nestjs-gev inline, a pipe bound', 'nest-gev.mjs', { PIPELINE: '1' }),
    threaded: gev('gev-threaded', 'nestjs-gev threaded, @OnMessage', 'nest-gev.mjs', { LOOPS: '1' }),
  };
}

/** @type {Contender} */
export const rawRpc = { id: 'raw-rpc', label: 'raw C epoll', command: [binary('raw_rpc')] };

/** @type {Contender} */
export const nestTcp = { id: 'nest-tcp', label: 'Nest Transport.TCP', command: node('nest-tcp.mjs') };

/** @type {Contender} */
export const nodeNetRpc = {
  id: 'node-net-rpc',
  label: 'node:net, fast path',
  command: node('node-net-rpc.mjs'),
};

/** @type {Contender} */
export const gevRpcInline = {
  id: 'gev-rpc-inline',
  label: 'nestjs-gev inline',
  command: node('nest-gev-rpc.mjs'),
  env: { LOOPS: '0' },
};

/** @type {Contender} */
export const gevRpcThreaded = {
  id: 'gev-rpc-threaded',
  label: 'nestjs-gev threaded',
  command: node('nest-gev-rpc.mjs'),
  env: { LOOPS: '1' },
};

/**
 * A server of the RPC workload, loaded by a Nest client.
 *
 * @param {'tcp' | 'gev'} client
 * @param {Contender} server
 * @returns {Contender}
 */
export function calledBy(client, server) {
  const command = [process.execPath, clientScript('rpc-client.mjs')];
  return {
    ...server,
    id: `${client}-to-${server.id}`,
    label: `${client === 'gev' ? 'GevClient' : 'ClientTCP'} → ${server.label}`,
    generator: { command, env: { CLIENT: client } },
  };
}

/** @type {Contender} */
export const fairnessTcp = {
  id: 'fairness-tcp',
  label: 'Nest TCP',
  command: node('fairness.mjs'),
  env: { TRANSPORT: 'tcp' },
};

const fairnessGev = (id, label, loops) => ({
  id,
  label,
  command: node('fairness.mjs'),
  env: { TRANSPORT: 'gev', LOOPS: loops },
});

export const fairnessGevInline = fairnessGev('fairness-gev-inline', 'nestjs-gev inline', '0');
export const fairnessGevThreaded = fairnessGev('fairness-gev-threaded', 'nestjs-gev threaded', '1');
export const fairnessGevTwoLoops = fairnessGev('fairness-gev-two', 'nestjs-gev, two threads', '2');

/**
 * A server of the fairness workload, with its load.
 *
 * @param {Contender} server
 * @returns {Contender}
 */
export const fairlyLoaded = (server) => ({
  ...server,
  generator: { command: [process.execPath, clientScript('fairness.mjs')] },
});

/** What the servers of the memory workload may hold, in MiB: output for all peers, and incomplete frames of a loop. */
export const memoryBudgets = { totalSendMiB: 256, partialMiB: 128 };

const MiB = 1024 * 1024;
const memoryGev = (id, label, loops) => ({
  id,
  label,
  command: [process.execPath, '--max-old-space-size=128', serverScript('memory.mjs')],
  env: {
    TRANSPORT: 'gev',
    LOOPS: loops,
    MAX_TOTAL_SEND_BUFFER: String(memoryBudgets.totalSendMiB * MiB),
    MAX_PARTIAL_BYTES: String(memoryBudgets.partialMiB * MiB),
  },
});

export const memoryGevInline = memoryGev('memory-gev-inline', 'nestjs-gev inline', '0');
export const memoryGevThreaded = memoryGev('memory-gev-threaded', 'nestjs-gev threaded', '1');
export const memoryGevTwoLoops = memoryGev('memory-gev-two', 'nestjs-gev, two threads', '2');

/**
 * A server of the memory workload, with its load.
 *
 * @param {Contender} server
 * @returns {Contender}
 */
export const takenFrom = (server) => ({
  ...server,
  generator: { command: [process.execPath, clientScript('memory.mjs')] },
});

const fleet = (id, label, env) => ({ id, label, command: node('fleet.mjs'), env });

export const fleetTcp = fleet('fleet-tcp', 'Nest TCP', { TRANSPORT: 'tcp' });
export const fleetGev = fleet('fleet-gev', 'nestjs-gev', { TRANSPORT: 'gev' });
export const fleetGevShared = fleet('fleet-gev-shared', 'nestjs-gev', { TRANSPORT: 'gev', SHARED: '1' });

/**
 * The servers of the restart workload, with a client of theirs.
 *
 * @param {Contender} servers
 * @param {'gev' | 'tcp'} client
 * @returns {Contender}
 */
export const restarted = (servers, client) => ({
  ...servers,
  id: `${client}-to-${servers.id}`,
  label: `${client === 'gev' ? 'GevClient' : 'ClientTCP'} → ${servers.label}`,
  generator: { command: [process.execPath, clientScript('restart.mjs')], env: { CLIENT: client } },
});

/**
 * A contender, or its generator, as the copy of the benchmarks in another folder has it: it imports that folder's package.
 *
 * @template {{ command: readonly string[] }} T
 * @param {T} program
 * @param {string} folder
 * @returns {T}
 */
export function inFolder(program, folder) {
  const move = (path) =>
    path.startsWith(benchFolder) ? join(folder, 'bench', path.slice(benchFolder.length)) : path;
  return { ...program, command: program.command.map(move) };
}

const ours = /(^|-)gev(-|$)/;

/**
 * Before anything is measured: is the package there that the contenders import?
 *
 * @param {readonly Contender[]} contenders
 */
export async function requireBuilt(contenders) {
  const others = contenders.filter(({ id }) => !ours.test(id));
  if (others.length === contenders.length) return;
  try {
    await import('nestjs-gev');
  } catch (error) {
    throw new BenchError(
      `nestjs-gev does not load (${error.message}). Run npm run prepare first, or leave it out: ` +
        `--contenders ${others.map(({ id }) => id).join(',')}`,
    );
  }
}
