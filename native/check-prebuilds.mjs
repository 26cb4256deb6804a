#!/usr/bin/env node
// Before a package is made: fails unless every addon that it is published with is there, built from the sources as they are.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { prebuilds, targets } from './prebuilds.mjs';
import { fail, native } from './toolchain.mjs';

const time = (file) => statSync(file).mtimeMs;
const newestSource = Math.max(
  ...['reactor', 'protocol', 'bridge', 'addon', 'prebuilt'].flatMap((folder) =>
    readdirSync(join(native, folder), { recursive: true }).map((name) => time(join(native, folder, name))),
  ),
);

const wanting = Object.entries(targets).filter(([, { file }]) => {
  const path = join(prebuilds, file);
  return !existsSync(path) || time(path) < newestSource;
});
if (wanting.length > 0) {
  const names = wanting.map(([name]) => name).join(' ');
  fail(`These addons are missing or older than their sources:\n  npm run prebuild -- ${names}`);
}
