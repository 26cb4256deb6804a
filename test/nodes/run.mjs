#!/usr/bin/env node
// Runs test/nodes/*.mjs on other majors of Node than the one at hand: they carry asynchronous contexts in different ways, and
// have OpenSSL of other versions.
//
//   node test/nodes/run.mjs [22|24|26...]      all by default
//
// The addon is the one that is built here: Node-API is the same for all of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeOf } from '../kit/nodes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const all = ['22', '24', '26'];

const chosen = process.argv.slice(2);
if (chosen.some((major) => !all.includes(major))) {
  console.error(`Usage: node test/nodes/run.mjs [${all.join('|')}...], not ${chosen.join(' ')}`);
  process.exit(1);
}

function run(command, args, { cwd = root, timeout = 120_000 } = {}) {
  const { status, signal, error } = spawnSync(command, args, { cwd, timeout, stdio: 'inherit' });
  if (status === 0) return;
  throw new Error(`${command} ${args[0]} failed (${signal ?? error?.message ?? status})`);
}

run(process.execPath, ['native/build.mjs', '--quiet']);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json']);
const failed = [];
for (const major of chosen.length === 0 ? all : chosen) {
  console.log(`\n--- Node ${major}`);
  try {
    run(nodeOf(major), ['test/nodes/isolation.mjs']);
    run(nodeOf(major), ['test/nodes/tls.mjs']);
  } catch (error) {
    console.error(error.message);
    failed.push(major);
  }
}
console.log(failed.length === 0 ? 'All passed' : `FAILED on Node ${failed.join(', ')}`);
process.exit(failed.length);
