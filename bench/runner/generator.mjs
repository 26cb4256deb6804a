import { Child } from './children.mjs';
import { BenchError } from './errors.mjs';
import { binary } from './paths.mjs';

const graceMilliseconds = 20_000; // connecting, draining, and a busy machine

/**
 * One run of the load generator against a server: its report (see `gev_load --help`). Every byte is verified; a run
 * with one wrong byte rejects.
 *
 * @param {{ port: number, serverPid: number, cpu: number, load: import('./workload.mjs').Load }} run
 * @returns {Promise<import('./workload.mjs').Sample>}
 */
export async function runGenerator({ port, serverPid, cpu, load }) {
  const given = { ...load, port, cpu, 'server-pid': serverPid };
  const args = Object.entries(given).map(([name, value]) => `--${name}=${value}`);
  const child = new Child([binary('gev_load'), ...args], { cpu });
  try {
    const limit = ((load['warm-up'] ?? 0) + load.seconds) * 1000 + graceMilliseconds;
    const code = await child.exitCode(limit);
    const report = child.stdout ? JSON.parse(child.stdout) : {};
    if (code !== 0) throw new BenchError(`The run is void: ${report.error ?? child.stderr}`);
    return report;
  } finally {
    await child.stop();
  }
}
