#!/usr/bin/env node
// Format, clang-tidy and include directions of the C++ sources. Nothing is compiled: clang-tidy reads the
// compile commands of a configured build.
//
//   npm run lint:native          node native/lint.mjs --fix   formats the files
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { checkIncludes } from './check-includes.mjs';
import { fail, has, headerOptions, native, run } from './toolchain.mjs';

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

/** Configures a build of one back end, for its compile commands. */
function compileCommands(poller) {
  const build = join(native, 'build', `lint-${poller}`);
  const options = ['-DCMAKE_BUILD_TYPE=Debug', `-DGEV_POLLER=${poller}`, ...headerOptions()];
  run('cmake', ['-S', native, '-B', build, ...options], { quiet: true });
  return build;
}

const product = files.filter((file) => /^(reactor|protocol|bridge|addon)\/.*\.cc$/.test(file));
const other = process.platform === 'linux' ? 'kqueue' : 'epoll';
const isOther = (file) => file.includes(`poller/${other}_`);
const queue = product.filter((file) => !isOther(file)).map((file) => [file, 'auto']);
// The kqueue back end is checked on Linux through its shim; epoll has none elsewhere.
if (other === 'kqueue') queue.push(...product.filter(isOther).map((file) => [file, other]));
const builds = Object.fromEntries(
  [...new Set(queue.map(([, poller]) => poller))].map((p) => [p, compileCommands(p)]),
);

let failed = 0;
async function worker() {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const [file, poller] = job;
    const child = spawn(tidy, ['--quiet', '-p', builds[poller], file], { cwd: native });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.resume(); // only the count of suppressed warnings
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (status === 0) continue;
    failed += 1;
    console.error(output || `clang-tidy failed on ${file}`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, worker));
console.log(`${files.length} files formatted, ${product.length - failed} of ${product.length} tidy.`);
process.exit(failed > 0 || complaints.length > 0 ? 1 : 0);
