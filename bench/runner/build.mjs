import { spawnSync } from 'node:child_process';
import { BenchError } from './errors.mjs';
import { benchFolder, buildFolder } from './paths.mjs';

const advice = 'The benchmarks need a C++20 compiler and cmake. Debian/Ubuntu: apt-get install g++ cmake';

/**
 * @param {string[]} args
 */
function cmake(args) {
  const { error, status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' });
  if (error) throw new BenchError(`cmake did not start (${error.code}). ${advice}`);
  if (status !== 0) throw new BenchError(`cmake ${args.join(' ')} failed.\n${stdout}${stderr}\n${advice}`);
}

/** Builds the generator and the raw C server, by themselves: nothing of the project is needed for it. */
export function buildNative() {
  cmake(['-S', benchFolder, '-B', buildFolder, '-DCMAKE_BUILD_TYPE=Release']);
  cmake(['--build', buildFolder]);
}
