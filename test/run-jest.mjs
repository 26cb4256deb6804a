#!/usr/bin/env node
// Brings the build up to date and runs Jest; other arguments go to Jest.
//
//   node test/run-jest.mjs [--debug | --sanitize=address|thread | --engine=javascript] [<Jest arguments>]
//
// --debug: with assertions in the addon and a look at what each test file leaves behind; a sanitized addon has them, too.
// --engine=javascript: the contract and the suites of Nest on the engine in JavaScript, but for test/engines/exceptions.mjs.
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exceptions, nativeFiles } from './engines/exceptions.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const sanitize = args.find((arg) => arg.startsWith('--sanitize='))?.slice('--sanitize='.length);
const variant = args.filter((arg) => arg === '--debug' || arg.startsWith('--sanitize='));
const inJavaScript = args.includes('--engine=javascript');
const jestArgs = args.filter((arg) => !variant.includes(arg) && !arg.startsWith('--engine='));
if (inJavaScript) {
  const excepted = exceptions.map(({ title }) => title.source).join('|');
  jestArgs.push(
    `--testNamePattern=^(?!.*(${excepted}))`,
    `--testPathIgnorePatterns=/(${nativeFiles.join('|')})\\.spec`,
    ...(jestArgs.some((arg) => arg.endsWith('.spec.ts'))
      ? []
      : [
          '--testPathPatterns=test/(contract|interop)/|test/unit/(engine|text-framer|byte-framers|javascript-framings)',
        ]),
  );
}

/** What a stock node needs to load an addon built with the sanitizer. */
const sanitizers = {
  address: {
    library: 'libasan.so',
    options: {
      ASAN_OPTIONS: 'detect_leaks=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      LSAN_OPTIONS: 'suppressions=native/test/support/lsan.supp:print_suppressions=0',
    },
  },
  thread: {
    library: 'libtsan.so',
    options: { TSAN_OPTIONS: 'ignore_noninstrumented_modules=1 exitcode=66' },
  },
};
if (sanitize !== undefined && !Object.hasOwn(sanitizers, sanitize)) {
  console.error(`Unknown sanitizer "${sanitize}": use ${Object.keys(sanitizers).join(' or ')}.`);
  process.exit(1);
}

/** How many times as long a process may take under a sanitizer: test/kit waits that much longer. */
const SLOWDOWN = '5';

const node = (argv, env = {}) =>
  spawnSync(process.execPath, argv, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
    .status ?? 1;

const buildAddon = (...argv) => {
  if (node(['native/build.mjs', '--quiet', ...argv]) !== 0) process.exit(1);
};

function preload({ library, options }) {
  const path = execFileSync(process.env.CXX ?? 'g++', [`-print-file-name=${library}`], { encoding: 'utf8' });
  return { ...options, LD_PRELOAD: path.trim(), GEV_TEST_SLOWDOWN: SLOWDOWN };
}

buildAddon(...variant);
// Tests that start processes load dist/ and sample/dist/. Type errors are the business of `npm run lint`.
if (node(['node_modules/typescript/bin/tsc', '-b', 'tsconfig.build.json', 'sample']) !== 0) {
  console.warn('The TypeScript build reported errors: dist/ and sample/dist/ may not be current.');
}
const status = node(
  [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    ...[
      'node_modules/jest/bin/jest.js',
      '--passWithNoTests',
      ...(sanitize ? ['--runInBand', '--testTimeout=600000'] : []),
      ...jestArgs,
    ],
  ],
  sanitize ? preload(sanitizers[sanitize]) : inJavaScript ? { GEV_ENGINE: 'javascript' } : {},
);
if (variant.length > 0) buildAddon(); // leave the ordinary addon behind
process.exit(status);
