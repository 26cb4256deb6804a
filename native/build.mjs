#!/usr/bin/env node
// Builds the addon and puts it at native/build/nestjs_gev.node, where it is preferred to a prebuilt one. CMake drives the
// build; where it is not installed, one plain compiler call does the same for a release build.
//
//   node native/build.mjs [--debug | --sanitize=address|thread] [--clean] [--quiet] [-D<cmake option>...]
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import { cmakeOptions, compileAddon } from './addon.mjs';
import { fail, failMissing, findCompiler, has, jobs, native, run } from './toolchain.mjs';

const args = process.argv.slice(2);
const quiet = args.includes('--quiet');
const sanitize = args.find((arg) => arg.startsWith('--sanitize='))?.slice('--sanitize='.length);
const variant = sanitize ?? (args.includes('--debug') ? 'debug' : 'release');
const type = { release: 'Release', debug: 'Debug' }[variant] ?? 'RelWithDebInfo';
const build = join(native, 'build', variant);
const built = join(build, 'nestjs_gev.node');
const target = join(native, 'build', 'nestjs_gev.node');
/** In somebody's node_modules, as opposed to a checkout. */
const installed = native.includes(`${sep}node_modules${sep}`);

function buildWithCMake() {
  const options = [
    `-DCMAKE_BUILD_TYPE=${type}`,
    `-DGEV_SANITIZE=${sanitize === 'address' ? 'address;undefined' : (sanitize ?? '')}`,
    // A newer compiler may warn about something new: that must not stop somebody who only installs us.
    `-DGEV_WARNINGS_AS_ERRORS=${installed ? 'OFF' : 'ON'}`,
    ...cmakeOptions(),
    ...args.filter((arg) => arg.startsWith('-D')),
  ];
  run('cmake', ['-S', native, '-B', build, ...options], { quiet });
  run('cmake', ['--build', build, '--parallel', jobs], { quiet });
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
  compileAddon([compiler, '-O3'], { platform: process.platform, folder: build, file: built, quiet });
} else {
  failMissing('cmake');
}
if (!existsSync(built)) fail('nestjs-gev: the addon was not built: native/addon has no sources.');
install();
if (installed) rmSync(build, { recursive: true });
