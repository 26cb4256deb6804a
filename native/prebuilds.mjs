// The addons that a package is published with, one for each system it need not be built on.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fail, native } from './toolchain.mjs';

/** Where they are, as native/load.cjs looks for them. */
export const prebuilds = join(native, '..', 'prebuilds');

/** As zig names the system, and the file in {@link prebuilds}. */
const target = (platform, arch, zig, libc) => ({
  platform,
  arch,
  zig,
  libc,
  file: `${platform}-${arch}/node.napi.${libc === undefined ? '' : `${libc}.`}node`,
});

export const targets = {
  'linux-x64-glibc': target('linux', 'x64', 'x86_64-linux-gnu.2.17', 'glibc'),
  'linux-x64-musl': target('linux', 'x64', 'x86_64-linux-musl', 'musl'),
  'linux-arm64-glibc': target('linux', 'arm64', 'aarch64-linux-gnu.2.17', 'glibc'),
  'linux-arm64-musl': target('linux', 'arm64', 'aarch64-linux-musl', 'musl'),
  'darwin-x64': target('darwin', 'x64', 'x86_64-macos.10.15'),
  'darwin-arm64': target('darwin', 'arm64', 'aarch64-macos.11.0'),
};

/** What an addon is made of: when one of these changes, it is no longer current. */
const ingredients = [
  ...['reactor', 'tls', 'protocol', 'bridge', 'addon', 'prebuilt'].flatMap((folder) =>
    readdirSync(join(native, folder), { recursive: true }).map((name) => join(folder, name)),
  ),
  ...['addon.mjs', 'prebuild.mjs', 'prebuilds.mjs', '../src/engine/native/version.ts'],
];

const modifiedAt = (file) => statSync(file).mtimeMs;

/** Whether a target's addon is there and younger than everything it is made of. */
export function isCurrent({ file }) {
  const path = join(prebuilds, file);
  if (!existsSync(path)) return false;
  const builtAt = modifiedAt(path);
  return ingredients.every((name) => modifiedAt(join(native, name)) < builtAt);
}

/** The name of the target that is this machine, which runs glibc if it is Linux; undefined: there is none for it. */
export const hostTarget = Object.keys(targets).find((name) => {
  const { platform, arch, libc } = targets[name];
  return platform === process.platform && arch === process.arch && libc !== 'musl';
});

/**
 * @param {string[]} args names of targets, or `--host`; none: all
 * @returns {string[]} names of targets
 */
export function chooseTargets(args) {
  const names = args.map((arg) => (arg === '--host' ? hostTarget : arg));
  const unknown = names.filter((name) => !Object.hasOwn(targets, name));
  if (unknown.length > 0)
    fail(`There is no target ${unknown.join(', ')}. Use ${Object.keys(targets).join(', ')} or --host.`);
  return names.length > 0 ? names : Object.keys(targets);
}
