import { expect } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { Child } from './child.js';
import { until } from './until.js';

/** Where samples lie that are built: in this tree, or beside a package without its binaries. */
export const SAMPLES = process.env.GEV_SAMPLES ?? 'sample/dist';
/** No binary fits: whoever needs an engine says so in one warning. */
export const hasBinaries = process.env.GEV_SAMPLES === undefined;

const WARNING =
  /\[GEV_JAVASCRIPT_ENGINE\] GevWarning: No native addon for \S+ \(not found\): the JavaScript engine serves/;
const END_OF_WARNING = /^\(Use `node --trace-warnings/;

/** How often it has warned that the JavaScript engine serves. */
export function warningsOf({ errors }: Child): number {
  return errors.filter((line) => WARNING.test(line)).length;
}

/** What it said on stderr, without that warning. */
export function errorsOf({ errors }: Child): string[] {
  const start = errors.findIndex((line) => WARNING.test(line));
  if (start === -1) return errors;
  const end = errors.findIndex((line) => END_OF_WARNING.test(line));
  return errors.toSpliced(start, end + 1 - start);
}

/** Starts a sample on a free port. */
export async function start(name: string, env: NodeJS.ProcessEnv = {}) {
  const service = await listening([`${SAMPLES}/${name}/main.js`], env); // run-jest.mjs has built it
  const warnings = hasBinaries || env.TRANSPORT === 'tcp' ? 0 : 1;
  await until(() => warningsOf(service.child) >= warnings, 'it warns');
  expect(warningsOf(service.child)).toBe(warnings);
  return service;
}

/** The port and what else a sample says when it listens. */
export async function listening(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = Child.start(args, { env: { NO_COLOR: '1', PORT: '0', HTTP_PORT: '0', ...env } });
  const line = (): string | undefined => child.lines.find((line) => line.includes('Listening: '));
  await until(() => line() !== undefined || !child.running, `${args.join(' ')} listens`);
  if (!child.running) throw new Error(child.errors.join('\n'));
  const [, address, url] = /Listening: (\{.*?\})(?:, (\S+))?/.exec(line()!)!;
  return { child, port: (JSON.parse(address!) as { port: number }).port, url };
}

/** Runs a sample's client to its end, and returns what it printed. */
export async function runClient(name: string, port: number, env: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const client = Child.start([`${SAMPLES}/${name}/client.js`], {
    env: { NO_COLOR: '1', PORT: String(port), ...env },
  });
  const exit = await client.exit();
  expect({ ...exit, errors: errorsOf(client) }).toEqual({ code: 0, signal: null, errors: [] });
  return client.lines;
}

/** Whether a netcat is here that can say FIN at the end of its input. */
export const hasNetcat = /-\w*N/.test(spawnSync('nc', ['-h'], { encoding: 'utf8' }).stderr ?? '');

/** What a user of nc sees. */
export function netcat(port: number, input: Buffer): Buffer {
  return spawnSync('nc', ['-N', '127.0.0.1', String(port)], {
    input,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 60_000,
  }).stdout;
}
