#!/usr/bin/env node
// Format, clang-tidy and include directions of the C++ sources. Nothing is compiled: clang-tidy reads the
// compile commands of a configured build.
//
//   npm run lint:native          node native/lint.mjs --fix   formats the files
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { cmakeOptions } from './addon.mjs';
import { checkIncludes } from './check-includes.mjs';
import { fail, has, native, run } from './toolchain.mjs';

/** clang-format and clang-tidy of another version judge differently: CI uses 19. */
const tool = (name) => [`${name}-19`, name].find(has);

const { stdout } = spawnSync(
  'git',
  [
    'ls-files',
    '-z',
    '--cached',
    '--others',
    '--exclude-standard',
    '--',
    '*.cc',
    '*.h',
    '../bench/*.cc',
    '../bench/*.h',
  ],
  { cwd: native, encoding: 'utf8' },
);
const files = [...new Set(stdout.split('\0').filter(Boolean))];
const fix = process.argv.includes('--fix');

const format = tool('clang-format');
if (format === undefined) {
  if (fix) process.exit(0); // whoever works on the TypeScript alone need not have it
  fail('clang-format 19 was not found: apt-get install clang-format-19 clang-tidy-19');
}
if (files.length > 0) run(format, [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...files]);
if (fix) process.exit(0);

const complaints = checkIncludes(files);
for (const complaint of complaints) console.error(complaint);

const tidy = tool('clang-tidy');
if (tidy === undefined) fail('clang-tidy 19 was not found: apt-get install clang-tidy-19');

/**
 * The translation units of one back end. Each is a whole target: most of the time goes to the headers of the standard
 * library, and so is spent once for all files of a target.
 */
function unitsOf(poller) {
  const build = join(native, 'build', `lint-${poller}`);
  const unity = ['-DCMAKE_UNITY_BUILD=ON', '-DCMAKE_UNITY_BUILD_BATCH_SIZE=0'];
  const options = ['-DCMAKE_BUILD_TYPE=Debug', `-DGEV_POLLER=${poller}`, ...unity, ...cmakeOptions()];
  run('cmake', ['-S', native, '-B', build, ...options], { quiet: true });
  const commands = JSON.parse(readFileSync(join(build, 'compile_commands.json'), 'utf8'));
  return commands.map(({ file }) => ({ build, file }));
}

const queue = unitsOf('auto');
// The kqueue back end is checked on Linux through its shim; epoll has none elsewhere.
if (process.platform === 'linux') {
  queue.push(...unitsOf('kqueue').filter(({ file }) => file.includes('gev_reactor')));
}
const units = queue.length;

let failed = 0;
async function worker() {
  for (let unit = queue.shift(); unit !== undefined; unit = queue.shift()) {
    const config = ['--config-file=../.clang-tidy', '--checks=-bugprone-suspicious-include'];
    const child = spawn(tidy, ['--quiet', ...config, '-p', unit.build, unit.file], { cwd: native });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.resume(); // only the count of suppressed warnings
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (status === 0) continue;
    failed += 1;
    console.error(output || `clang-tidy failed on ${unit.file}`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`${files.length} files formatted, ${units - failed} of ${units} units tidy.`);
process.exit(failed > 0 || complaints.length > 0 ? 1 : 0);
