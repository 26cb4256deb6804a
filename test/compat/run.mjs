#!/usr/bin/env node
// Tries the packed package in real applications: both major versions of Nest, as their templates have it, by every way to
// load and bundle it.
//
//   node test/compat/run.mjs              what a change must pass: about 2 minutes on two cores, installing included
//   node test/compat/run.mjs --all        everything, on all versions of Node too: about 6 minutes
//   node test/compat/run.mjs 'nest 12'    what has that in its name
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeOf } from '../kit/nodes.mjs';
import { packed } from '../kit/packed.mjs';
import { checkNames, checkTarball } from './package-checks.mjs';
import { addApplication, addPackage, bin, cache, install, run, startAndAsk } from './workspaces.mjs';

/** The oldest of each major that is supported, on which `require` of ESM is youngest, and the newest. */
const NODES = ['20.19.0', '22.12.0', '22', '24', '26'];
const JEST = join('node_modules', 'jest', 'bin', 'jest.js');
const VM_MODULES = '--experimental-vm-modules';

const options = process.argv.slice(2);
const all = options.includes('--all');
const wanted = options.filter((option) => option !== '--all');
const here = process.execPath;

console.log('packing, and installing Nest 11 and 12');
const [tarball, nest11, nest12] = await Promise.all([packed(cache), install('11'), install('12')]);
const folders = { 11: nest11, 12: nest12 };
for (const [major, folder] of Object.entries(folders)) {
  addApplication(folder, major, { esm: major === '12' });
  addPackage(folder, tarball);
}

const steps = [];
const step = (name, action) => steps.push({ name, action, short: true });
const nightly = (name, action) => steps.push({ name, action, short: false });

step('publint and "Are the types wrong?"', () => checkTarball(tarball));
step('what declarations name is exported', () => checkNames(join(nest12, 'node_modules', 'nestjs-gev')));

for (const [major, folder] of Object.entries(folders)) {
  step(`nest ${major}: types, libraries checked too`, () => {
    bin(folder, 'tsc', '--outDir', 'out', '--rootDir', '.', '--tsBuildInfoFile', 'out/.tsbuildinfo');
  });
  step(`nest ${major}: handlers, clients and enhancers`, () => {
    const out = join(folder, 'out', 'test', 'smoke');
    const files = ['application', 'client', 'rpc', 'versions'].map((name) => join(out, `${name}.smoke.js`));
    run(here, ['--test', ...files], folder, { NEST_MAJOR: major });
  });
  const build = () => bin(folder, 'nest', 'build');
  step(`nest ${major}: nest build, start`, () => {
    build();
    return startAndAsk(here, 'dist/main.js', folder);
  });
  const plain = (node) => {
    for (const name of ['import.mjs', 'require.cjs', 'both.mjs']) run(node, [`test/plain/${name}`], folder);
  };
  step(`nest ${major}: import, require, both`, () => plain(here));
  for (const version of NODES) {
    nightly(`nest ${major}: import, require, both, and start, on Node ${version}`, () => {
      const node = nodeOf(version);
      plain(node);
      if (!existsSync(join(folder, 'dist', 'main.js'))) build();
      return startAndAsk(node, 'dist/main.js', folder);
    });
  }
  nightly(`nest ${major}: nest build --builder swc, start`, () => {
    bin(folder, 'nest', 'build', '--builder', 'swc', '--path', 'tsconfig.build.json');
    return startAndAsk(here, 'dist/main.js', folder);
  });
}

step('nest 11: its tests, by Jest with CommonJS', () => run(here, [JEST], nest11));
step('nest 12: its tests, by vitest', () => bin(nest12, 'vitest', 'run'));

nightly('nest 11: its tests, by Jest and SWC', () => {
  const config = join(nest11, 'jest-swc.json');
  const decorators = { legacyDecorator: true, decoratorMetadata: true };
  const jsc = { parser: { syntax: 'typescript', decorators: true }, transform: decorators, target: 'es2022' };
  const transform = { '^.+\\.ts$': ['@swc/jest', { jsc }] };
  writeFileSync(config, JSON.stringify({ testRegex: '/(src|test)/.*spec\\.ts$', transform }));
  run(here, [JEST, '--config', config], nest11);
});
nightly('nest 11: nest build --builder webpack, start', () => {
  bin(nest11, 'nest', 'build', '--builder', 'webpack');
  return startAndAsk(here, 'dist/main.js', nest11);
});
nightly('nest 11: bundled by esbuild, the addon beside it', async () => {
  const bundle = join(nest11, 'bundle');
  rmSync(bundle, { recursive: true, force: true });
  bin(nest11, 'nest', 'build');
  const external = ['@nestjs/*', 'rxjs', 'reflect-metadata'].map((name) => `--external:${name}`);
  bin(
    nest11,
    'esbuild',
    'dist/main.js',
    '--bundle',
    '--platform=node',
    '--outfile=bundle/main.js',
    ...external,
  );
  cpSync(join(nest11, 'node_modules', 'nestjs-gev', 'prebuilds'), join(bundle, 'prebuilds'), {
    recursive: true,
  });
  await startAndAsk(here, 'bundle/main.js', nest11);
});
for (const version of NODES) {
  nightly(`nest 11: its tests, by Jest with CommonJS, on Node ${version}`, () =>
    run(nodeOf(version), [JEST], nest11),
  );
  nightly(`nest 12: its tests, by vitest, on Node ${version}`, () => {
    run(nodeOf(version), [join('node_modules', 'vitest', 'vitest.mjs'), 'run'], nest12);
  });
}
nightly('nest 12: its tests, by Jest with ESM', () => {
  const config = join(nest12, 'jest-esm.json');
  const settings = {
    ...{ testRegex: '/(src|test)/.*spec\\.ts$', extensionsToTreatAsEsm: ['.ts'] },
    testPathIgnorePatterns: ['/node_modules/', '/cjs/'],
    transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
    moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  };
  writeFileSync(config, JSON.stringify(settings));
  run(here, [VM_MODULES, JEST, '--config', config], nest12);
});
nightly('nest 12: as CommonJS: build, start, and its tests by Jest on Node 24', async () => {
  const folder = join(nest12, 'cjs');
  mkdirSync(folder, { recursive: true });
  addApplication(folder, '12', { esm: false, configure: false });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  const compilerOptions = { types: ['node', 'jest'], outDir: 'dist', rootDir: 'src' };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions,
      include: ['src'],
      exclude: ['**/*spec.ts'],
    }),
  );
  bin(nest12, 'tsc', '-p', folder);
  await startAndAsk(here, 'cjs/dist/main.js', nest12);
  const config = join(folder, 'jest.json');
  const transform = { '^.+\\.ts$': 'ts-jest' };
  writeFileSync(config, JSON.stringify({ testRegex: '/(src|test)/.*spec\\.ts$', transform }));
  run(nodeOf('24'), [VM_MODULES, JEST, '--config', config], nest12);
});

const chosen = steps.filter(({ name, short }) =>
  wanted.length > 0 ? wanted.some((part) => name.includes(part)) : short || all,
);
let failed = 0;
for (const { name, action } of chosen) {
  const started = performance.now();
  let outcome = 'ok    ';
  try {
    await action();
  } catch (error) {
    outcome = 'FAILED';
    failed++;
    console.error(`\n${error.message}\n`);
  }
  console.log(`${outcome} ${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${name}`);
}
console.log(failed === 0 ? `All ${chosen.length} passed` : `${failed} of ${chosen.length} FAILED`);
process.exit(failed === 0 ? 0 : 1);
