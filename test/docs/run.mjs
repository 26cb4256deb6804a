#!/usr/bin/env node
// Compiles every block of TypeScript in README.md and docs/, and the sample that is to be copied, against the package as it is
// published, with the settings that `nest new` gives an application: Nest 11 with CommonJS, and Nest 12 with ES modules. Then
// runs the README's service and client, and the tests of docs/testing.md.
//
//   node test/docs/run.mjs [11|12...]      both by default
//
// Nest 12 is the one this project itself has installed. Nest 11 is installed, by the lockfile in nest-11, into a folder that
// git ignores, and stays there until that lockfile changes.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { blocksOf } from './blocks.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = join(root, 'test', 'docs');
const cache = join(root, '.cache', 'docs');
const timeout = 600_000; // of one command, on a machine that is busy with others

/** Of `tsconfig.json` as `nest new` writes it, what has to do with what compiles; strict, as it asks by default. */
const asNestNew = {
  module: 'nodenext',
  moduleResolution: 'nodenext',
  resolvePackageJsonExports: true,
  esModuleInterop: true,
  isolatedModules: true,
  declaration: true,
  removeComments: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  allowSyntheticDefaultImports: true,
  target: 'ES2023',
  outDir: './dist',
  rootDir: './src',
  skipLibCheck: true,
  strict: true,
  strictPropertyInitialization: false,
};

const templates = {
  11: { type: 'commonjs', types: ['node', 'jest'], lockfile: true },
  12: { type: 'module', types: ['node'], globals: true },
};

/** What vitest and Jest make global; here by the types of this project's own Jest. */
const TEST_GLOBALS = `import type * as jest from '@jest/globals';
declare global {
  ${['describe', 'it', 'expect', 'beforeAll', 'afterAll', 'beforeEach', 'afterEach']
    .map((name) => `const ${name}: typeof jest.${name};`)
    .join('\n  ')}
}
`;

function run(command, args, cwd = root, stdio = 'inherit') {
  const result = spawnSync(command, args, { cwd, stdio, timeout, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  if (stdio !== 'inherit') console.error(`${result.stdout}${result.stderr}`);
  throw new Error(
    `${command} ${args[0]} failed (${result.signal ?? result.error?.message ?? result.status})`,
  );
}

function install(folder, version) {
  const lockfile = join(here, `nest-${version}`, 'package-lock.json');
  const installed = join(folder, 'package-lock.json');
  const same = existsSync(installed) && readFileSync(installed, 'utf8') === readFileSync(lockfile, 'utf8');
  if (same && existsSync(join(folder, 'node_modules', '.package-lock.json'))) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    copyFileSync(join(here, `nest-${version}`, name), join(folder, name));
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder, 'pipe');
}

/** The package as a user gets it, with the addon that is built here in place of a prebuilt one. */
function addPackage(folder, tarball) {
  const target = join(folder, 'node_modules', 'nestjs-gev');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, 'native', 'build'), { recursive: true });
  run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1']);
  const addon = join('native', 'build', 'nestjs_gev.node');
  copyFileSync(join(root, addon), join(target, addon));
}

/** Puts every block, and the sample that is to be copied, into an application of that template, and compiles it. */
function compile(folder, { type, types, globals }) {
  const source = join(folder, 'src');
  for (const name of ['src', 'dist']) rmSync(join(folder, name), { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  const own = join(folder, 'package.json');
  const manifest = existsSync(own) ? JSON.parse(readFileSync(own, 'utf8')) : { private: true };
  writeFileSync(own, `${JSON.stringify({ ...manifest, type }, undefined, 2)}\n`);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...asNestNew, types }, include: ['src'] }),
  );
  if (globals) writeFileSync(join(source, 'globals.d.ts'), TEST_GLOBALS);
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const pages = [join(root, 'README.md'), ...docs.map((name) => join(root, 'docs', name))];
  const blocks = pages.flatMap(blocksOf);
  for (const block of blocks) writeFileSync(join(source, `${block.name}.ts`), block.source);
  cpSync(join(root, 'sample', 'device-gateway'), join(source, 'device-gateway'), { recursive: true });
  const compiler = [folder, root]
    .map((place) => join(place, 'node_modules/typescript/bin/tsc'))
    .find(existsSync);
  run(process.execPath, [compiler, '-p', folder]);
  return blocks;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts what a block has become; on another port, since 3000 may be taken. */
function start(folder, { name }, port) {
  const file = join(folder, 'dist', `${name}.js`);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/\b3000\b/g, port));
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout,
  });
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { child, lines, ended: once(child, 'close') };
}

/** The service of the README answers its client, and stops what nobody listens to. */
async function converse(folder, blocks) {
  const readme = blocks.filter(({ name }) => name.startsWith('README-'));
  const [service, client] = ['new GevServer({', 'customClass: GevClient'].map((words) =>
    readme.find(({ source }) => source.includes(words)),
  );
  const port = await freePort();
  const server = start(folder, service, port);
  try {
    while (!server.lines.some((line) => line.includes('successfully started'))) {
      if (server.child.exitCode !== null) throw new Error('The service of the README has ended');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { lines, ended } = start(folder, client, port);
    const [code] = await ended;
    const said = lines.filter((line) => /^\d+$/.test(line)).join(' ');
    if (code !== 0 || said !== '6 0 1 2')
      throw new Error(`The client of the README: ${code}, ${lines.join('\n')}`);
  } finally {
    server.child.kill('SIGTERM');
  }
  await server.ended;
  if (!server.lines.includes('nobody listens any more')) throw new Error('The service of the README goes on');
}

/** The tests that docs/testing.md shows pass. */
function testAsTold(folder) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const which = ['--rootDir', folder, '--testMatch', '<rootDir>/dist/testing-*.js', '--transform', '{}'];
  run(process.execPath, [...options, jest, ...which], folder, 'pipe');
}

const chosen = process.argv.slice(2);
const versions = Object.keys(templates).filter((version) => chosen.length === 0 || chosen.includes(version));
if (versions.length < chosen.length) {
  console.error(`Usage: node test/docs/run.mjs [11|12...], not ${chosen.join(' ')}`);
  process.exit(1);
}

mkdirSync(cache, { recursive: true });
run(process.execPath, ['native/build.mjs', '--quiet']);
run('npm', ['run', '--silent', 'build:ts']);
const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', cache], root, 'pipe');
const tarball = join(cache, JSON.parse(packed)[0].filename);

const failed = [];
for (const version of versions) {
  const folder = join(cache, `nest-${version}`);
  try {
    if (templates[version].lockfile) install(folder, version);
    addPackage(folder, tarball);
    const blocks = compile(folder, templates[version]);
    await converse(folder, blocks);
    testAsTold(folder);
    console.log(
      `Nest ${version}, ${templates[version].type}: ${blocks.length} blocks compile, the README's service answers, the tests of docs/testing.md pass`,
    );
  } catch (error) {
    failed.push(version);
    console.error(`Nest ${version}: ${error.message}`);
  }
}
process.exit(failed.length);
