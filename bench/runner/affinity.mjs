import { readFileSync, readdirSync } from 'node:fs';
import { BenchError } from './errors.mjs';

/**
 * Throws unless every thread of a process may run on that one core alone, by the kernel's own word.
 *
 * @param {number} pid
 * @param {number} cpu
 */
export function requireAllThreadsOn(pid, cpu) {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const allowed = allowedCores(`${pid}/task/${thread}`);
    if (allowed !== String(cpu)) {
      throw new BenchError(
        `Thread ${thread} of process ${pid} may run on ${allowed}, not on core ${cpu} alone.`,
      );
    }
  }
}

/** The list in the kernel's words: `0`, or `0-3`. */
function allowedCores(task) {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${task}/status`, 'utf8'))?.[1];
}

/** The one core that a process is pinned to, NaN when there are several. */
export const coreOf = (pid) => Number(allowedCores(pid));
