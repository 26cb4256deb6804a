#!/usr/bin/env node
// What takes too long for every change: all Jest files and C++ tests under both sanitizers, to their end, the addons for all
// systems, many fresh seeds of the model test, and long fuzzing. Goes on after a failure, and says at the end what failed and
// how long each took.
//
//   npm run test:nightly [-- <step>...]      the steps: see below; without one, all
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const MODEL_SEEDS = '300';
const FUZZ_SECONDS = 600;

const steps = {
  'jest-asan': ['test:asan'],
  'jest-tsan': ['test:tsan'],
  'native-asan': ['test:native', '--', '--asan'],
  'native-tsan': ['test:native', '--', '--tsan'],
  prebuilds: ['test:prebuilds'],
  model: ['test:native', '--', '--asan', '-R', 'FreshModelTest', '--timeout', '1800', '-V'],
  compat: ['test:compat', '--', '--all'],
  fuzz: ['fuzz', '--', `--seconds=${FUZZ_SECONDS}`],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(steps, name));
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. The steps are ${Object.keys(steps).join(', ')}.`);
  process.exit(1);
}

const outcomes = [];
for (const [name, script] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const env = { ...process.env, ...(name === 'model' && { GEV_MODEL_FRESH_SEEDS: MODEL_SEEDS }) };
  const { status } = spawnSync('npm', ['run', ...script], { cwd: root, stdio: 'inherit', env });
  outcomes.push({ name, ok: status === 0, minutes: (performance.now() - started) / 60_000 });
}

console.log('');
for (const { name, ok, minutes } of outcomes) {
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${minutes.toFixed(1)} min`);
}
process.exit(outcomes.every(({ ok }) => ok) ? 0 : 1);
