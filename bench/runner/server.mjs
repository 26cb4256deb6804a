import { requireAllThreadsOn } from './affinity.mjs';
import { Child } from './children.mjs';

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
