#!/usr/bin/env node
// Runs every sample and its test on the package as it is packed, but without binaries: the JavaScript engine serves, and says so.
//
//   node test/samples/without-binaries.mjs [<Jest arguments>]
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packed } from '../kit/packed.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, '.cache', 'samples');
const installed = join(folder, 'node_modules', 'nestjs-gev');
const samples = join(folder, 'dist');

rmSync(folder, { recursive: true, force: true });
mkdirSync(installed, { recursive: true });
execFileSync('tar', ['-xzf', packed(folder), '-C', installed, '--strip-components=1']);
rmSync(join(installed, 'prebuilds'), { recursive: true });
const binaries = readdirSync(installed, { recursive: true }).filter((name) => name.endsWith('.node'));
if (binaries.length > 0) throw new Error(`Binaries are left: ${binaries.join(', ')}`);

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'sample'], {
  cwd: root,
  stdio: 'inherit',
});
cpSync(join(root, 'sample', 'dist'), samples, { recursive: true });
writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');

const argv = ['test/run-jest.mjs', 'test/samples', ...process.argv.slice(2)];
const env = { ...process.env, GEV_SAMPLES: samples, GEV_ENGINE: '', GEV_ADDON: '' };
process.exit(spawnSync(process.execPath, argv, { cwd: root, stdio: 'inherit', env }).status ?? 1);
