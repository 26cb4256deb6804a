#!/usr/bin/env node
// Builds the addon and puts it at native/build/nestjs_gev.node. CMake drives the build; where it is not
// installed, one plain compiler call does the same for a release build.
//
//   node native/build.mjs [--debug | --sanitize=address|thread] [--clean] [--quiet] [-D<cmake option>...]
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import {
  fail,
  failMissing,
  findCompiler,
  has,
  headerOptions,
  headers,
  jobs,
  native,
  run,
} from './toolchain.mjs';

const args = process.argv.slice(2);
const quiet = args.includes('--quiet');
const sanitize = args.find((arg) => arg.startsWith('--sanitize='))?.slice('--sanitize='.length);
const variant = sanitize ?? (args.includes('--debug') ? 'debug' : 'release');
const type = { release: 'Release', debug: 'Debug' }[variant] ?? 'RelWithDebInfo';
const build = join(native, 'build', variant);
const built = join(build, 'nestjs_gev.node');
const target = join(native, 'build', 'nestjs_gev.node');

function buildWithCMake() {
  const options = [
    `-DCMAKE_BUILD_TYPE=${type}`,
    `-DGEV_SANITIZE=${sanitize === 'address' ? 'address;undefined' : (sanitize ?? '')}`,
    // A newer compiler may warn about something new: that must not stop somebody who only installs us.
    `-DGEV_WARNINGS_AS_ERRORS=${native.includes(`${sep}node_modules${sep}`) ? 'OFF' : 'ON'}`,
    ...headerOptions(),
    ...args.filter((arg) => arg.startsWith('-D')),
  ];
  run('cmake', ['-S', native, '-B', build, ...options], { quiet });
  run('cmake', ['--build', build, '--parallel', jobs], { quiet });
}

function buildWithCompiler(compiler) {
  const poller = process.platform === 'linux' ? 'epoll' : 'kqueue';
  const list = (folder) =>
    readdirSync(join(native, folder))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(folder, name));
  const { nodeApi, nodeAddonApi } = headers();
  const argv = [
    ...['-std=c++20', '-O3', '-DNDEBUG', '-fPIC', '-fvisibility=hidden', '-pthread', '-shared'],
    ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []),
    ...['-DNAPI_VERSION=9', '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS'],
    ...['-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', '-DBUILDING_NODE_EXTENSION'],
    ...[`-DGEV_POLLER_${poller.toUpperCase()}=1`, '-I.', `-I${nodeApi}`, `-I${nodeAddonApi}`],
    ...['reactor', 'protocol', 'bridge', 'addon'].flatMap(list),
    ...[join('reactor', 'poller', `${poller}_poller.cc`), '-o', built],
  ];
  run(compiler, argv, { quiet });
}

/** Replaces the file, never its content: a running process may have it mapped. */
function install() {
  if (existsSync(target) && readFileSync(built).equals(readFileSync(target))) return;
  const fresh = `${target}.${process.pid}`;
  copyFileSync(built, fresh);
  renameSync(fresh, target);
}

const compiler = findCompiler();
if (compiler === undefined) failMissing(has('cmake') ? 'C++20 compiler' : 'cmake and C++20 compiler');
if (args.includes('--clean')) rmSync(build, { recursive: true, force: true });
mkdirSync(build, { recursive: true });
if (has('cmake')) {
  buildWithCMake();
} else if (variant === 'release') {
  console.warn('nestjs-gev: cmake was not found, compiling directly.');
  buildWithCompiler(compiler);
} else {
  failMissing('cmake');
}
if (!existsSync(built)) fail('nestjs-gev: the addon was not built: native/addon has no sources.');
install();
