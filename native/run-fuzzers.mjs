#!/usr/bin/env node
// Builds the fuzzers, replays their corpus and fuzzes each for a while. What breaks is left in native/build/finds.
//
//   npm run fuzz [-- --seconds=30] [<name of a fuzzer>...]      --seconds: for each; 0 only replays the corpus
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fail, has, jobs, native, run } from './toolchain.mjs';

const args = process.argv.slice(2);
const seconds = Number(args.find((arg) => arg.startsWith('--seconds='))?.slice('--seconds='.length) ?? 30);
const wanted = args.filter((arg) => !arg.startsWith('--'));
if (!has('clang++-19')) fail('The fuzzers need clang 19: apt-get install clang-19 libclang-rt-19-dev');

run('cmake', ['--preset', 'fuzz'], { quiet: true });
run('cmake', ['--build', '--preset', 'fuzz', '--parallel', jobs], { quiet: true });

const build = join(native, 'build', 'fuzz');
const names = readdirSync(build)
  .filter((file) => file.endsWith('_fuzzer'))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
if (names.length === 0) fail(`There is no fuzzer ${wanted.join(', ')}.`);

let failed = 0;
for (const name of names) {
  const corpus = join(native, 'fuzz', 'corpus', name.replace(/_fuzzer$/, ''));
  const finds = join(native, 'build', 'finds', name);
  mkdirSync(finds, { recursive: true });
  const limits = [
    '-max_len=4096',
    '-len_control=0',
    '-timeout=20',
    `-artifact_prefix=${finds}/`,
    '-verbosity=0',
  ];
  const fuzz = (...argv) =>
    spawnSync(join(build, name), [...limits, ...argv], { cwd: native, stdio: 'inherit' }).status === 0;
  const seeds = existsSync(corpus) ? readdirSync(corpus).map((file) => join(corpus, file)) : [];
  const replayed = seeds.length === 0 || fuzz(...seeds);
  // New inputs go to the first folder: that of this machine. A find that matters is copied to the corpus by hand.
  const fuzzed =
    seconds === 0 || fuzz(`-max_total_time=${seconds}`, finds, ...(seeds.length > 0 ? [corpus] : []));
  console.log(
    `${name}: ${seeds.length} inputs replayed, fuzzed for ${seconds} s: ${replayed && fuzzed ? 'ok' : 'FAILED'}`,
  );
  if (!replayed || !fuzzed) failed += 1;
}
process.exit(failed > 0 ? 1 : 0);
