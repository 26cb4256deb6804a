#!/usr/bin/env node
// Builds what is out of date, then runs a sample in this very process, so that signals reach it.
//
//   npm start [-- <sample>]     the samples are the projects of nest-cli.json; default: echo
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const { projects } = JSON.parse(readFileSync(new URL('nest-cli.json', root), 'utf8'));
const [name = 'echo'] = process.argv.slice(2);

if (!Object.hasOwn(projects, name)) {
  console.error(`There is no sample "${name}". Samples:\n  ${Object.keys(projects).join('\n  ')}`);
  process.exit(1);
}

const build = (...argv) => {
  const { status } = spawnSync(process.execPath, argv, { cwd: fileURLToPath(root), stdio: 'inherit' });
  if (status !== 0) process.exit(1);
};
build('native/build.mjs', '--quiet');
build('node_modules/typescript/bin/tsc', '-b', 'sample');

await import(new URL(`sample/dist/${projects[name].entryFile}.js`, root).href);
