import { Child } from '../runner/children.mjs';
import { inFolder } from '../runner/contenders.mjs';
import { runGenerator } from '../runner/generator.mjs';

/** For what takes seconds on an idle machine. */
const patienceMilliseconds = 120_000;

/**
 * Loads the servers of both sides in turn: the first and the second, the second and the first, and so on.
 *
 * @param {import('./pairs.mjs').Subject} subject
 * @param {readonly import('./pairs.mjs').Side[]} sides
 * @param {{ cpu: number, slices: number }} options core of the generator, slices of each side
 * @returns {Promise<number[][]>} of each side, the CPU time a message in each slice
 */
export async function loadServersInTurn({ benchCase }, [first, second], { cpu, slices }) {
  const report = await runGenerator({
    port: first.server.port,
    serverPid: first.server.child.pid,
    cpu,
    load: {
      ...benchCase.load,
      messages: benchCase.slice,
      slices,
      'rival-port': second.server.port,
      'rival-pid': second.server.child.pid,
    },
    milliseconds: patienceMilliseconds,
  });
  return [report.cpuMicros, report.rivalCpuMicros];
}

/**
 * The same with a client of each side, on its own side's server: the clients' CPU time.
 *
 * @type {typeof loadServersInTurn}
 */
export async function loadClientsInTurn({ benchCase, contender }, sides, { cpu, slices }) {
  const clients = sides.map(({ folder, server }) => {
    const { command, env } = inFolder(contender.generator, folder);
    const args = [`--port=${server.port}`, `--cpu=${cpu}`, `--depth=${benchCase.load.depth}`, '--in-turn'];
    return new Child([...command, ...args], { cpu, env });
  });
  try {
    const micros = sides.map(() => []);
    for (let slice = 0; slice < slices; ++slice) {
      const first = slice % 2;
      for (const side of [first, 1 - first]) {
        const answer = await clients[side].ask(String(benchCase.slice), patienceMilliseconds);
        micros[side].push(JSON.parse(answer).cpuMicros);
      }
    }
    return micros;
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
  }
}
