// What the addon is compiled from and with, for CMake and for compilers that are called without it.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { native, run } from './toolchain.mjs';

const require = createRequire(import.meta.url);
const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8'));

const definitions = [
  'NAPI_VERSION=9',
  'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  'BUILDING_NODE_EXTENSION',
  `GEV_VERSION="${version}"`,
];

/** The Node-API headers come from npm packages, so that no Node headers are downloaded. */
const includes = () => [
  require('node-api-headers').include_dir,
  dirname(require.resolve('node-addon-api')), // its own include_dir depends on the current folder
];

export const cmakeOptions = () => [
  `-DGEV_ADDON_DEFINITIONS=${definitions.join(';')}`,
  `-DGEV_ADDON_INCLUDES=${includes().join(';')}`,
];

/** As CMakeLists.txt has it: every source of these folders, and the poller of the system. */
function sources(poller) {
  const folders = ['reactor', 'tls', 'protocol', 'bridge', 'addon'];
  const inFolder = (folder) =>
    readdirSync(join(native, folder))
      .filter((name) => name.endsWith('.cc'))
      .map((name) => `${folder}/${name}`);
  return [...folders.flatMap(inFolder), `reactor/poller/${poller}_poller.cc`];
}

/**
 * Compiles and links the addon as one translation unit, which is as good as link-time optimization.
 *
 * @param {string[]} command the compiler and what it needs to be told beyond the language and what the addon is
 * @param {{ platform: string, folder: string, file: string, first?: string[], quiet?: boolean }} target the platform as
 *   Node names it, a folder for what comes up meanwhile, the file to make, and sources to put before the addon's own
 */
export function compileAddon([compiler, ...flags], { platform, folder, file, first = [], quiet }) {
  const poller = platform === 'linux' ? 'epoll' : 'kqueue';
  const unit = join(folder, 'addon.cc');
  mkdirSync(folder, { recursive: true });
  writeFileSync(unit, [...first, ...sources(poller)].map((source) => `#include "${source}"\n`).join(''));
  const argv = [
    ...flags,
    ...['-std=c++20', '-DNDEBUG', `-DGEV_POLLER_${poller.toUpperCase()}=1`],
    ...['-fPIC', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-pthread', '-shared'],
    ...(platform === 'darwin' ? ['-Wl,-undefined,dynamic_lookup'] : []),
    ...definitions.map((definition) => `-D${definition}`),
    ...['.', ...includes()].map((path) => `-I${path}`),
    ...[unit, '-o', file],
    ...(platform === 'linux' ? ['-ldl'] : []), // dlsym() is in a library of its own before glibc 2.34
  ];
  run(compiler, argv, { quiet });
}
