import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { binary } from '../runner/paths.mjs';

/**
 * Runs gev_load, or a program that stands in for it.
 *
 * @param {Record<string, string | number>} options
 * @param {{ command: readonly string[], env?: Record<string, string> }} [generator]
 */
export async function run(options, { command, env } = { command: [binary('gev_load')] }) {
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(command[0], [...command.slice(1), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (output[name] += text));
  const [code] = await once(child, 'close');
  return { code, report: output.stdout ? JSON.parse(output.stdout) : undefined, stderr: output.stderr };
}
