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
  const env = { ...process.env, LD_PRELOAD: '' }; // a sanitizer is not for Python
  const child = spawn('python3', ['-B', fileURLToPath(new URL('peer.py', import.meta.url))], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onCleanup(() => child.kill('SIGKILL'));
  child.on('error', (error) => (failure = error));
  child.stdin.on('error', () => undefined); // it has ended, and said why
  child.stdin.end(JSON.stringify({ seed, jobs }));
  const lines: object[] = [];
  let failure: Error | undefined;
  let ended = false;
  createInterface({ input: child.stdout })
    .on('line', (line) => lines.push(JSON.parse(line) as object))
    .on('close', () => (ended = true));
  await until(() => lines.length > 0 || ended, 'the peer in Python begins');
  if (lines.length === 0) {
    throw new Error('python3 did not play the peer: scripts/setup installs it', { cause: failure });
  }
  return {
    ...(lines[0] as Pick<Peer, 'ports' | 'runs'>),
    async results() {
      await until(() => ended, 'the peer in Python has played all', 60_000);
      return lines.slice(1) as Run[];
    },
  };
}
