import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onCleanup } from '../kit/cleanup.js';
import { until } from '../kit/until.js';
import type { WireCase, WireCodec } from './cases.js';

/** Whether there is a Python to play the peer. */
export const hasPython = spawnSync('python3', ['--version']).status === 0;

/** A case for the peer to play: to a server on that port or, without one, as a server itself. */
export interface Job {
  readonly codec: WireCodec;
  readonly case: WireCase;
  readonly port?: number;
}

/** What the peer says of one run of a job. */
export interface Run {
  readonly job: number;
  /** Null: the case contradicts itself. */
  readonly run: number | null;
  /** Of the peer's end. */
  readonly port: number | null;
  /** How it must have ended. */
  readonly ends: 'peer' | 'protocol';
  /** What was wrong. */
  readonly error: string | null;
}

export interface Peer {
  /** Of each job. */
  readonly ports: readonly number[];
  /** How often each is played. */
  readonly runs: readonly number[];
  /** All runs, when the peer has ended. A job ends with the first run that went wrong. */
  results(): Promise<Run[]>;
}

/** Starts peer.py with these jobs. */
export async function startPeer(seed: number, jobs: readonly Job[]): Promise<Peer> {
  const python = await Python.start('peer.py', [], JSON.stringify({ seed, jobs }));
  return {
    ...(python.lines[0] as Pick<Peer, 'ports' | 'runs'>),
    async results() {
      await python.end();
      return python.lines.slice(1) as Run[];
    },
  };
}

/** Starts service.py, for one client that speaks this. */
export async function startService(codec: WireCodec) {
  const python = await Python.start('service.py', [JSON.stringify(codec)]);
  return {
    ...(python.lines[0] as { readonly port: number }),
    /** The packets that it was sent, when the client has left. */
    async received(): Promise<unknown[]> {
      await python.end();
      return (python.lines[1] as { readonly received: unknown[] }).received;
    },
  };
}

/** A script that says something first, and more later: JSON, line by line. */
class Python {
  readonly lines: object[] = [];
  private ended = false;
  private failure: Error | undefined;

  private constructor(script: string, args: readonly string[], input: string) {
    const env = { ...process.env, LD_PRELOAD: '' }; // a sanitizer is not for Python
    const path = fileURLToPath(new URL(script, import.meta.url));
    const child = spawn('python3', ['-B', path, ...args], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    onCleanup(() => child.kill('SIGKILL'));
    child.on('error', (error) => (this.failure = error));
    child.stdin.on('error', () => undefined); // it has ended, and said why
    child.stdin.end(input);
    createInterface({ input: child.stdout })
      .on('line', (line) => this.lines.push(JSON.parse(line) as object))
      .on('close', () => (this.ended = true));
  }

  static async start(script: string, args: readonly string[], input = ''): Promise<Python> {
    const python = new Python(script, args, input);
    await until(() => python.lines.length > 0 || python.ended, `${script} begins`);
    if (python.lines.length > 0) return python;
    throw new Error(`python3 did not run ${script}: scripts/setup installs it`, { cause: python.failure });
  }

  async end(): Promise<void> {
    await until(() => this.ended, 'the script in Python has played all', 60_000);
  }
}
