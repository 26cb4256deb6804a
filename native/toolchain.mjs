// What the native scripts share: running a tool, with a clear word when it is missing.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export const native = dirname(fileURLToPath(import.meta.url));
export const jobs = String(availableParallelism());

export const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;

export const findCompiler = () => [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean).find(has);

const remedies = {
  linux: 'apt-get install -y g++ cmake   (Debian, Ubuntu)',
  darwin: 'xcode-select --install && brew install cmake',
  freebsd: 'pkg install -y cmake',
};

export function fail(message) {
  console.error(message);
  process.exit(1);
}

export const failMissing = (what) =>
  fail(`nestjs-gev cannot be built: ${what} not found. Install with:\n  ${remedies[process.platform]}`);

/** Runs a tool in native/ and ends this process if it fails. `quiet`: its output is shown only then. */
export function run(command, argv, { quiet = false } = {}) {
  const { error, status, stdout, stderr } = spawnSync(command, argv, {
    cwd: native,
    encoding: 'utf8',
    stdio: quiet ? 'pipe' : 'inherit',
    maxBuffer: 1 << 28,
  });
  if (error?.code === 'ENOENT') failMissing(command);
  if (status === 0) return;
  if (quiet) process.stderr.write(stdout + stderr);
  fail(`${command} failed${status === null ? '' : ` with exit code ${status}`}.`);
}
