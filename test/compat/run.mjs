#!/usr/bin/env node
// Runs the smoke tests of test/compat/smoke on each supported major version of Nest, against the package as it is
// published: `npm pack` and the addon, put into a node_modules folder of its own.
//
//   node test/compat/run.mjs [11|12...]      all by default
//
// Nest 12 is the one this project itself has installed. Nest 11 is installed, by the lockfile in nest-11, into a folder
// that git ignores; there it stays until that lockfile changes.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = join(root, 'test', 'compat');
const cache = join(root, '.cache', 'compat');
const timeout = 120_000;

const chosen = process.argv.slice(2);
const versions = ['11', '12'].filter((version) => chosen.length === 0 || chosen.includes(version));
if (versions.length < chosen.length) {
  console.error(`Usage: node test/compat/run.mjs [11|12...], not ${chosen.join(' ')}`);
  process.exit(1);
}

function run(command, args, { cwd = root, env = {}, stdio = 'inherit' } = {}) {
  const result = spawnSync(command, args, {
    ...{ cwd, stdio, timeout, encoding: 'utf8' },
    env: { ...process.env, ...env },
  });
  if (result.status === 0) return result.stdout;
  if (stdio !== 'inherit') console.error(`${result.stdout}${result.stderr}`);
  throw new Error(
    `${command} ${args[0]} failed (${result.signal ?? result.error?.message ?? result.status})`,
  );
}

const npm = (args, cwd) => run('npm', args, { cwd, stdio: 'pipe' });
const typescript = (...args) => run(process.execPath, ['node_modules/typescript/bin/tsc', ...args]);

/** What the last `npm ci` in a folder has installed is what the lockfile in it says. */
function isInstalled(folder, lockfile) {
  const installed = join(folder, 'package-lock.json');
  return (
    existsSync(join(folder, 'node_modules', '.package-lock.json')) &&
    existsSync(installed) &&
    readFileSync(installed, 'utf8') === readFileSync(lockfile, 'utf8')
  );
}

function install(folder, version) {
  const source = join(here, `nest-${version}`);
  if (!existsSync(source)) return; // found in the project's own node_modules
  const lockfile = join(source, 'package-lock.json');
  if (isInstalled(folder, lockfile)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(source, name), join(folder, name));
  npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
}

/** The package as a user gets it, with the addon that is built here in place of a prebuilt one. */
function addPackage(folder, tarball) {
  const target = join(folder, 'node_modules', 'nestjs-gev');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, 'native', 'build'), { recursive: true });
  run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  copyFileSync(
    join(root, 'native', 'build', 'nestjs_gev.node'),
    join(target, 'native', 'build', 'nestjs_gev.node'),
  );
}

/** Type-checks the smoke tests against this folder's Nest and puts JavaScript next to its node_modules. */
function compile(folder) {
  const out = join(folder, 'smoke');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  for (const name of readdirSync(join(here, 'smoke')))
    copyFileSync(join(here, 'smoke', name), join(out, name));
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noEmit: false, declaration: false, sourceMap: false, paths: {}, rootDir: '.' },
    include: ['.'],
  };
  writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(config));
  writeFileSync(join(out, 'package.json'), JSON.stringify({ type: 'module' }));
  typescript('-p', out);
  return readdirSync(out)
    .filter((name) => name.endsWith('.smoke.js'))
    .map((name) => join(out, name));
}

function test(version, tarball) {
  const folder = join(cache, `nest-${version}`);
  install(folder, version);
  addPackage(folder, tarball);
  const files = compile(folder);
  run(process.execPath, ['--test', '--test-reporter=spec', ...files], {
    cwd: folder,
    env: { NEST_MAJOR: version },
  });
}

mkdirSync(cache, { recursive: true });
run(process.execPath, ['native/build.mjs', '--quiet']);
npm(['run', 'build:ts'], root);
const [{ filename }] = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', cache]));

const failed = [];
for (const version of versions) {
  console.log(`\n--- Nest ${version}`);
  try {
    test(version, join(cache, filename));
  } catch (error) {
    console.error(error.message);
    failed.push(version);
  }
}
console.log();
for (const version of versions)
  console.log(`Nest ${version}: ${failed.includes(version) ? 'FAILED' : 'passed'}`);
process.exit(failed.length);
