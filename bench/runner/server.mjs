import { readFileSync, readdirSync } from 'node:fs';
import { Child } from './children.mjs';
import { BenchError } from './errors.mjs';

const startMilliseconds = 30_000;

/**
 * Starts a contender on a free loopback port, pinned to `cpu`, and waits until it listens.
 *
 * @param {import('./workload.mjs').Contender} contender
 * @param {number} cpu
 */
export async function startServer(contender, cpu) {
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    REQUIRE_CPU: String(cpu),
    EXIT_WITH_STDIN: '1',
    ...contender.env,
  };
  const child = new Child(contender.command, { cpu, env });
  try {
    const { port } = JSON.parse(await child.firstLine(startMilliseconds));
    requireAllThreadsOn(child.pid, cpu);
    return { child, port };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** The kernel's own word on where each thread may run. */
function requireAllThreadsOn(pid, cpu) {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    const allowed = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
    if (allowed !== String(cpu)) {
      throw new BenchError(
        `Thread ${thread} of process ${pid} may run on ${allowed}, not on core ${cpu} alone.`,
      );
    }
  }
}
