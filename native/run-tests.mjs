#!/usr/bin/env node
// Builds and runs the C++ tests of one preset; other arguments go to ctest (for example -R RingBuffer).
//
//   npm run test:native [-- --asan|--tsan|--kqueue|--preset=<name>] [<ctest arguments>]
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, jobs, native, run } from './toolchain.mjs';

const { testPresets } = JSON.parse(readFileSync(join(native, 'CMakePresets.json'), 'utf8'));
const presets = testPresets.map(({ name }) => name);

let preset = process.env.PRESET ?? 'test';
const rest = process.argv.slice(2).filter((arg) => {
  const name = arg.replace(/^--(preset=)?/, '');
  const isPreset = arg.startsWith('--preset=') || (arg.startsWith('--') && presets.includes(name));
  if (isPreset) preset = name;
  return !isPreset;
});
if (!presets.includes(preset)) fail(`There is no test preset "${preset}": use one of ${presets.join(', ')}.`);

run('cmake', ['--preset', preset]);
run('cmake', ['--build', '--preset', preset, '--parallel', jobs]);
run('ctest', ['--preset', preset, ...rest]);
