import { Child } from './children.mjs';
import { BenchError } from './errors.mjs';
import { binary } from './paths.mjs';

const graceMilliseconds = 20_000; // connecting, draining, and a busy machine

/** @type {import('./workload.mjs').Generator} */
const gevLoad = { command: [binary('gev_load')] };

/**
 * One run of a load generator against a server: its report (see `gev_load --help`). Every byte is verified; a run
 * with one wrong byte rejects.
 *
 * @param {object} run
 * @param {number} run.port
 * @param {number} run.serverPid
 * @param {number} run.cpu
 * @param {import('./workload.mjs').Load} run.load
 * @param {import('./workload.mjs').Generator} [run.generator]
 * @param {number} [run.milliseconds] what it may take, when that does not follow from the load
 * @returns {Promise<import('./workload.mjs').Sample>}
 */
export async function runGenerator({ port, serverPid, cpu, load, generator = gevLoad, milliseconds }) {
  const given = { ...load, port, cpu, 'server-pid': serverPid };
  const args = Object.entries(given).map(([name, value]) => `--${name}=${value}`);
  const child = new Child([...generator.command, ...args], { cpu, env: generator.env });
  try {
    const limit = milliseconds ?? ((load['warm-up'] ?? 0) + load.seconds) * 1000 + graceMilliseconds;
    const code = await child.exitCode(limit);
    const report = child.stdout ? JSON.parse(child.stdout) : {};
    if (code !== 0) throw new BenchError(`The run is void: ${report.error ?? child.stderr}`);
    return report;
  } finally {
    await child.stop();
  }
}
