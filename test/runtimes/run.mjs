#!/usr/bin/env node
// A service and its clients, of the packed package, on runtimes that pass for Node: see application/. docs/platforms.md says what
// is missing there.
//
//   npm run test:runtimes [-- bun|deno...]      both by default
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { packed } from '../kit/packed.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache', 'runtimes');
const application = join(cache, 'application');
const TIMEOUT = 240_000;

/** Each with its version, and what runs a program. */
const runtimes = {
  bun: { version: '1.4.5', args: ['run'] },
  deno: { version: '2.9.6', args: ['run', '--allow-all', '--no-prompt'] },
};

const wanted = process.argv.slice(2);
const names = Object.keys(runtimes).filter((name) => wanted.length === 0 || wanted.includes(name));
if (names.length < wanted.length) {
  console.error(`Usage: node test/runtimes/run.mjs [${Object.keys(runtimes).join('|')}...]`);
  process.exit(1);
}

/** Installs the runtimes; they stay until their versions change. Nest and the rest are those of the repository. */
function install() {
  const file = join(cache, 'package.json');
  const dependencies = Object.fromEntries(
    Object.entries(runtimes).map(([name, { version }]) => [name, version]),
  );
  const text = JSON.stringify({ private: true, type: 'module', dependencies });
  if (existsSync(join(cache, 'node_modules', '.package-lock.json')) && readFileSync(file, 'utf8') === text)
    return;
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, text);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent'], { cwd: cache, stdio: 'inherit' });
}

function addPackage() {
  const target = join(cache, 'node_modules', 'nestjs-gev');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', packed(join(cache, 'packages')), '-C', target, '--strip-components=1']);
}

function build() {
  writeFileSync(join(cache, 'tsconfig.json'), '{}'); // Bun would follow the paths of the repository's to its sources
  rmSync(application, { recursive: true, force: true });
  const argv = [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'test/runtimes/application'];
  execFileSync(process.execPath, argv, { cwd: root, stdio: 'inherit' });
}

/** A program on a runtime; its lines of JSON as they come. */
function start(name, program) {
  const { args } = runtimes[name];
  const child = spawn(join(cache, 'node_modules', '.bin', name), [...args, join('application', program)], {
    cwd: cache,
    env: { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '', GEV_ENGINE: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT,
    killSignal: 'SIGKILL',
  });
  let errors = '';
  child.stderr.on('data', (data) => (errors += data));
  const ended = once(child, 'close').then(([code, signal]) => ({ end: signal ?? code, errors }));
  return { child, ended, lines: createInterface({ input: child.stdout }) };
}

/** Every step of main.ts, and that it ends. */
async function runSteps(name) {
  const { ended, lines } = start(name, 'main.js');
  const failed = [];
  let steps = 0;
  for await (const line of lines) {
    const { step, error } = JSON.parse(line);
    steps++;
    console.log(`${error === undefined ? 'ok    ' : 'FAILED'} ${name}: ${step}`);
    if (error !== undefined) failed.push(`${name}: ${step}\n${error}`);
  }
  const { end, errors } = await ended;
  assert.deepEqual(failed, [], failed.join('\n\n'));
  assert.equal(end, 0, errors);
  assert.ok(steps > 10, errors);
  assert.equal(errors.match(/GEV_JAVASCRIPT_ENGINE\]/g)?.length, 1, `It warns once: ${errors}`);
}

async function stopsBySignal(name) {
  const { child, ended, lines } = start(name, 'service.js');
  let reply = '';
  try {
    for await (const line of lines) {
      const { port, called } = JSON.parse(line);
      if (port !== undefined) {
        const packet = '{"pattern":"slow","data":300,"id":"1"}';
        connect(port, '127.0.0.1', function () {
          this.write(`${packet.length}#${packet}`);
        }).on('data', (data) => (reply += data));
      }
      if (called) child.kill('SIGTERM');
    }
    const { end, errors } = await ended;
    assert.match(reply, /"response":"done"/, errors);
    assert.ok(end === 'SIGTERM' || end === 0 || end === 143, `${end}: ${errors}`);
  } finally {
    child.kill('SIGKILL');
  }
  console.log(`ok     ${name}: SIGTERM has it answer what is in flight, and ends it`);
}

install();
addPackage();
build();
let failed = 0;
for (const name of names) {
  for (const check of [runSteps, stopsBySignal]) {
    await check(name).catch((error) => {
      failed++;
      console.error(`FAILED ${name}: ${error.message}`);
    });
  }
}
process.exit(failed === 0 ? 0 : 1);
