#!/usr/bin/env node
// What somebody does who has Node and npm and nothing else: makes an application from Nest's template, installs the package, adds
// a service, builds, starts and tests. Compilers, make, CMake and Python are out of reach, and no configuration is touched.
//
//   node test/install/run.mjs [11|12...]      both major versions of Nest by default
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
} from 'node:fs';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache', 'install');
const own = join(root, 'test', 'install', 'application');
const TIMEOUT = 600_000;
const execute = promisify(execFile);

const chosen = process.argv.slice(2);
const majors = ['11', '12'].filter((major) => chosen.length === 0 || chosen.includes(major));
if (majors.length < chosen.length) {
  console.error(`Usage: node test/install/run.mjs [11|12...], not ${chosen.join(' ')}`);
  process.exit(1);
}

/** Where a program of that name is found. */
const which = (name) =>
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find(existsSync);

/** The environment of a machine with Node, npm and a shell. No engine in JavaScript helps out where the addon does not load. */
function bareEnvironment() {
  const bin = join(cache, 'bin');
  rmSync(bin, { recursive: true, force: true });
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const name of ['npm', 'sh']) symlinkSync(realpathSync(which(name)), join(bin, name));
  const unset = { CC: undefined, CXX: undefined, GEV_ADDON: undefined, NODE_OPTIONS: undefined };
  const set = { PATH: bin, CI: 'true', PORT: '0', GEV_ENGINE: 'native', npm_config_loglevel: 'warn' };
  const env = { ...process.env, ...unset, ...set };
  const tools = [
    'cc',
    'c++',
    'gcc',
    'g++',
    'clang',
    'clang++',
    'ld',
    'make',
    'cmake',
    'ninja',
    'python3',
    'python',
  ];
  for (const tool of tools) {
    const { error } = spawnSync(tool, ['--version'], { env });
    assert.equal(error?.code, 'ENOENT', `${tool} is within reach`);
  }
  return env;
}

/** What it has said. */
async function run(command, args, { cwd = root, env = process.env } = {}) {
  try {
    const { stdout, stderr } = await execute(command, args, {
      cwd,
      env,
      timeout: TIMEOUT,
      maxBuffer: 1 << 26,
    });
    return stdout + stderr;
  } catch (error) {
    console.error(`${error.stdout}${error.stderr}`);
    throw new Error(`${command} ${args.join(' ')} failed (${error.signal ?? error.code})`, { cause: error });
  }
}

const node = (...args) => run(process.execPath, args);

/** The tarball, with the addon for this machine only. */
async function pack() {
  await node('native/prebuild.mjs', '--host');
  await node('node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json');
  await node('scripts/commonjs.mjs');
  const said = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', cache]);
  const [{ filename, files }] = JSON.parse(said.slice(0, said.lastIndexOf(']') + 1));
  const paths = files.map(({ path }) => path);
  assert.ok(paths.some((path) => /^prebuilds\/.*\.node$/.test(path)));
  assert.deepEqual(
    paths.filter((path) => /^native\/build\/|\.o$|binding\.gyp/.test(path)),
    [],
  );
  return join(cache, filename);
}

/** The template that `nest new` copies, of that major version. */
async function generate(major) {
  const schematics = join(cache, `schematics-${major}`);
  if (!existsSync(join(schematics, 'node_modules', '@nestjs', 'schematics'))) {
    mkdirSync(schematics, { recursive: true });
    writeFileSync(join(schematics, 'package.json'), '{ "private": true }');
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
    await run('npm', ['install', ...options, `@nestjs/schematics@${major}`], { cwd: schematics });
  }
  const collection = join(schematics, 'node_modules', '@nestjs', 'schematics', 'dist', 'collection.json');
  const folder = mkdtempSync(join(cache, `nest-${major}-`));
  const binary = join(root, 'node_modules', '@angular-devkit', 'schematics-cli', 'bin', 'schematics.js');
  const argv = [binary, `${collection}:application`, '--name=app', '--debug=false', '--no-dry-run'];
  await run(process.execPath, argv, { cwd: folder });
  return join(folder, 'app');
}

/** A service of our own and its tests, where the template has its own. Relative imports as the template writes them. */
function addService(app) {
  const main = readFileSync(join(app, 'src', 'main.ts'), 'utf8');
  const extension = main.includes("'./app.module.js'") ? '.js' : '';
  const check = readFileSync(join(own, 'services.check.ts'), 'utf8');
  const checkIn = (path) => check.replace("'./services.js'", `'${path}${extension}'`);
  copyFileSync(join(own, 'services.ts'), join(app, 'src', 'services.ts'));
  writeFileSync(join(app, 'src', 'services.spec.ts'), checkIn('./services'));
  writeFileSync(join(app, 'test', 'services.e2e-spec.ts'), checkIn('../src/services'));
  const listen = /^( *)await app\.listen\(.*\);\n/m;
  assert.match(main, listen);
  const start =
    '$1const [echo, math] = [await startEcho(), await startMath()];\n$1console.log(`PORTS ${echo.port} ${math.port}`);\n';
  writeFileSync(
    join(app, 'src', 'main.ts'),
    `import { startEcho, startMath } from './services${extension}';\n${main.replace(listen, `$&${start}`)}`,
  );
}

async function exchange(port, text) {
  const socket = connect(port, '127.0.0.1').end(text);
  return String((await once(socket, 'data'))[0]);
}

/** Starts what was built and talks to it as any client would. */
async function startAndAsk(app, env) {
  const child = spawn('npm', ['run', 'start:prod'], {
    cwd: app,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), TIMEOUT);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const ports = /^PORTS (\d+) (\d+)$/.exec(line);
      if (ports === null) continue;
      const request = '{"pattern":"sum","data":[1,2,3],"id":"1"}';
      assert.equal(await exchange(Number(ports[1]), 'hello'), 'hello');
      assert.match(await exchange(Number(ports[2]), `${request.length}#${request}`), /"response":6/);
      return;
    }
    throw new Error('it ended before it had started');
  } finally {
    clearTimeout(timer);
    if (child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  }
}

async function install(app, major, tarball, env) {
  const argv = ['install', '--no-audit', '--no-fund', tarball, `@nestjs/microservices@${major}`];
  const said = await run('npm', argv, { cwd: app, env });
  // Of a tarball from no registry npm names `prepare`, too, although it does not run that.
  assert.doesNotMatch(said, /nestjs-gev@\S+ \((?!prepare:)/, 'npm asks about an install script');
  const installed = join(app, 'node_modules', 'nestjs-gev');
  const { scripts } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  for (const name of ['preinstall', 'install', 'postinstall']) assert.ok(!Object.hasOwn(scripts, name));
  assert.ok(!readdirSync(join(installed, 'native')).includes('build'));
}

async function tryOn(major, tarball, env) {
  const app = await generate(major);
  const npm = (...args) => run('npm', args, { cwd: app, env });
  const steps = {
    'npm install': () => install(app, major, tarball, env),
    'npm run build': () => addService(app) ?? npm('run', 'build'),
    'npm run start:prod': () => startAndAsk(app, env),
    'npm test': () => npm('test'),
    'npm run test:e2e': () => npm('run', 'test:e2e'),
  };
  for (const [name, step] of Object.entries(steps)) {
    const started = performance.now();
    await step();
    console.log(`Nest ${major}: ${name}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
  rmSync(dirname(app), { recursive: true });
}

mkdirSync(cache, { recursive: true });
const env = bareEnvironment();
const tarball = await pack();
await Promise.all(majors.map((major) => tryOn(major, tarball, env)));
console.log(`An application of Nest ${majors.join(' and one of ')} works without a compiler.`);
