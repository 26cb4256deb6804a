import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onCleanup } from './cleanup.js';
import { until } from './until.js';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const scenarios = fileURLToPath(new URL('children/scenario.mjs', import.meta.url));
const rpc = fileURLToPath(new URL('children/rpc-service.mjs', import.meta.url));

/** An argument of node: the JavaScript engine does not name what it lacks. For tests that are not about that. */
export const QUIET = '--disable-warning=GEV_JAVASCRIPT_ENGINE_LACKS';

export interface ChildSetup {
  /** A command, with its arguments, that starts node. */
  readonly wrapper?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A node process that reports in lines. It is gone with the test. */
export class Child {
  /** What it wrote, line by line. */
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  private result: { code: number | null; signal: string | null } | undefined;

  private constructor(private readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => this.lines.push(line));
    createInterface({ input: process.stderr! }).on('line', (line) => this.errors.push(line));
    process.on('close', (code, signal) => (this.result = { code, signal }));
    onCleanup(() => process.kill('SIGKILL'));
  }

  static start(args: readonly string[], { wrapper = [], env = {} }: ChildSetup = {}): Child {
    const [command, ...rest] = [...wrapper, process.execPath, ...args];
    return new Child(
      spawn(command!, rest, {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    );
  }

  /** Starts a scenario of children/scenario.mjs, which loads dist/. */
  static scenario(name: string, options: object = {}, setup?: ChildSetup): Child {
    return Child.start([scenarios, name, JSON.stringify(options)], setup);
  }

  /** Starts children/rpc-service.mjs, which loads dist/. */
  static rpc(options: object, behaviour: object = {}): Child {
    return Child.start([rpc, JSON.stringify(options), JSON.stringify(behaviour)]);
  }

  get pid(): number {
    return this.process.pid!;
  }

  get running(): boolean {
    return this.result === undefined;
  }

  /** The first line that is a JSON object with this key, as soon as it is there. */
  async report(key: string, timeout?: number): Promise<any> {
    let found: any;
    const look = (): boolean => {
      found = this.lines
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as object)
        .find((line) => Object.hasOwn(line, key));
      return found !== undefined || !this.running;
    };
    await until(look, `"${key}" is reported`, timeout);
    if (found === undefined) {
      throw new Error(`The process ended without a report of "${key}": ${this.errors.join('\n')}`);
    }
    return found;
  }

  /** Waits for its end: the exit code and the signal that ended it. */
  async exit(timeout?: number): Promise<{ code: number | null; signal: string | null }> {
    await until(() => !this.running, 'the process ends', timeout);
    return this.result!;
  }

  say(line: string): void {
    this.process.stdin!.write(`${line}\n`);
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}
