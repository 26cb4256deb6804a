import { readFileSync } from 'node:fs';
import os from 'node:os';
import process from 'node:process';
import { BenchError } from './errors.mjs';

/** What the figures were measured on; stored with them. */
export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    congestionControl: readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
    node: process.version,
    loadAverage: Number(os.loadavg()[0].toFixed(2)),
  };
}

/** @param {ReturnType<typeof describeMachine>} machine */
export const formatMachine = (machine) => `${formatHardware(machine)} · load average ${machine.loadAverage}`;

/** What of it stays the same from one run to the next. @param {ReturnType<typeof describeMachine>} machine */
export const formatHardware = (machine) =>
  [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB`,
    machine.kernel,
    `TCP ${machine.congestionControl}`,
    `Node ${machine.node}`,
  ].join(' · ');

/**
 * Refuses what cannot be measured here; returns what a reader of the figures should know.
 *
 * @param {{ serverCpu: number, loadCpu: number, connections: number }} settings
 * @returns {string[]}
 */
export function checkMachine({ serverCpu, loadCpu, connections }) {
  if (process.platform !== 'linux')
    throw new BenchError('The benchmarks need Linux: epoll, taskset and /proc.');
  if (serverCpu === loadCpu) throw new BenchError('--server-cpu and --load-cpu must be two different cores.');
  const limit = hardDescriptorLimit();
  if (limit < connections + 200) {
    throw new BenchError(
      `${connections} connections need more descriptors than ulimit -Hn allows (${limit}).`,
    );
  }
  const siblings = threadSiblings(serverCpu);
  return siblings.includes(loadCpu)
    ? [
        `Cores ${serverCpu} and ${loadCpu} are two threads of one physical core: choose others with --load-cpu.`,
      ]
    : [];
}

function hardDescriptorLimit() {
  const fields = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return fields && fields[1] !== 'unlimited' ? Number(fields[1]) : Infinity;
}

/** The logical CPUs that share a core with `cpu`, itself included; empty where the kernel does not say. */
function threadSiblings(cpu) {
  const file = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
  try {
    return readFileSync(file, 'utf8')
      .trim()
      .split(',')
      .flatMap((range) => {
        const [first, last = first] = range.split('-').map(Number);
        return Array.from({ length: last - first + 1 }, (_, index) => first + index);
      });
  } catch {
    return [];
  }
}
