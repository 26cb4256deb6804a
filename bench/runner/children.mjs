import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { clearTimeout, setTimeout } from 'node:timers';
import { BenchError } from './errors.mjs';

const keptOutput = 4000;

/** Every child that is alive. None outlives the runner: see `killAllAtExit`. */
const alive = new Set();

/**
 * A child process pinned to one core. `stdout` and `stderr` hold what it has printed (its tail).
 */
export class Child {
  stdout = '';
  stderr = '';
  #process;
  #exited;

  /**
   * @param {string[]} command program and arguments
   * @param {{ cpu: number, env?: Record<string, string> }} options
   */
  constructor(command, { cpu, env = {} }) {
    this.name = command.join(' ');
    this.#process = spawn('taskset', ['-c', String(cpu), ...command], {
      env: childEnvironment(env),
      stdio: 'pipe',
    });
    alive.add(this);
    this.#exited = new Promise((resolve) => {
      this.#process.once('error', (error) =>
        resolve({ code: null, reason: `did not start: ${error.message}` }),
      );
      this.#process.once('close', (code, signal) => resolve({ code, reason: signal ?? `exit code ${code}` }));
    }).finally(() => alive.delete(this));
    for (const name of ['stdout', 'stderr']) {
      this.#process[name].setEncoding('utf8').on('data', (text) => {
        this[name] = (this[name] + text).slice(-keptOutput);
      });
    }
    this.#process.stdin.on('error', () => {}); // the child may be gone before its input is closed
  }

  /** taskset replaces itself by the program, so this is the program's own. */
  get pid() {
    return this.#process.pid;
  }

  /**
   * The first line it prints. Rejects when it ends before, or takes longer.
   * @param {number} milliseconds
   */
  async firstLine(milliseconds) {
    return this.#within(milliseconds, async () => {
      while (!this.stdout.includes('\n')) {
        const ended = await Promise.race([once(this.#process.stdout, 'data'), this.#exited]);
        if (!Array.isArray(ended)) throw this.#failure(ended.reason);
      }
      return this.stdout.slice(0, this.stdout.indexOf('\n'));
    });
  }

  /**
   * Writes a line, and returns the one that answers it. Rejects when it ends before, or takes longer.
   * @param {string} line
   * @param {number} milliseconds
   */
  async ask(line, milliseconds) {
    this.stdout = '';
    this.#process.stdin.write(`${line}\n`);
    return this.firstLine(milliseconds);
  }

  /**
   * Its exit code. Rejects when it takes longer.
   * @param {number} milliseconds
   * @returns {Promise<number | null>} null when it never started or was killed
   */
  async exitCode(milliseconds) {
    return this.#within(milliseconds, async () => (await this.#exited).code);
  }

  kill() {
    this.#process.kill('SIGKILL');
  }

  async stop() {
    this.kill();
    await this.#exited;
  }

  async #within(milliseconds, action) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`not done after ${milliseconds} ms`)), milliseconds);
    });
    try {
      return await Promise.race([action(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(reason) {
    return new BenchError(`${this.name}: ${reason}\n${this.stderr}`.trimEnd());
  }
}

function childEnvironment(env) {
  const inherited = { ...process.env };
  delete inherited.NODE_OPTIONS; // no debugger or loader in what is measured
  return { ...inherited, NODE_ENV: 'production', ...env };
}

function killAll() {
  for (const child of alive) child.kill();
}

/** However the runner ends, its children end. (Killed outright, it closes their stdin, which ends the servers.) */
export function killAllAtExit() {
  process.once('exit', killAll);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ]) {
    process.once(signal, () => process.exit(code));
  }
}
