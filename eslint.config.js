import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** The folders of src/ from the lowest layer to the highest: imports point down only. */
const layers = [
  ['engine'],
  ['protocol'],
  ['core'],
  ['server', 'client', 'context', 'msgpack'],
  ['decorators', 'timers', 'module'],
];
const nestFree = new Set(['engine', 'protocol', 'core', 'msgpack']);

const restrictImports = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: patterns.filter(Boolean) }],
});

const outsideSource = {
  regex: '(^nestjs-gev(/(core|msgpack))?$|(^|/)(sample|test|bench|dist)/)',
  message: 'src/ imports neither the package by name nor sample/, test/, bench/ or dist/.',
};

/** Who chooses an engine knows them all. Nobody else knows slabs. */
const engineChoice = 'src/core/create-engine.ts';
const insideNative = {
  regex: '^(\\.\\./)+(engine/)?native/',
  message: 'What both engines have in common is in src/engine.',
};

const layerPatterns = (folder, depth) => [
  outsideSource,
  { regex: '/index(\\.js)?$', message: 'An index is what users import: import the file itself.' },
  depth < layers.length - 1 && {
    regex: `^(\\.\\./)+(${layers
      .slice(depth + 1)
      .flat()
      .join('|')})/`,
    message: `src/${folder} is a lower layer: it must not know this one.`,
  },
  nestFree.has(folder) && {
    regex: '^@nestjs/',
    message: `src/${folder} is usable without Nest.`,
  },
];

const layerRules = layers.flatMap((folders, depth) =>
  folders.map((folder) => ({
    files: [`src/${folder}/**/*.ts`],
    rules: restrictImports(...layerPatterns(folder, depth), insideNative),
  })),
);

const throughTheEntry = restrictImports({
  regex: '^(\\./|\\.\\./)+(src|dist)/',
  message:
    "Import from 'nestjs-gev', 'nestjs-gev/core' or 'nestjs-gev/msgpack'. Only unit tests may reach inside.",
});

/** How not to wait: see CONTRIBUTING.md. */
const waits = [
  {
    selector:
      'CallExpression[arguments.length>2]:matches([callee.name="it"], [callee.callee.object.name="it"])',
    message: 'Tests have no time-outs of their own: they would pass on a quiet machine only.',
  },
  {
    selector:
      'ExpressionStatement[expression.argument.callee.name="pause"]' +
      ' + ExpressionStatement[expression.callee.object.callee.name="expect"]',
    message: 'Wait with until(), or for nothing to happen with settled(), not for a while.',
  },
  {
    selector:
      'CallExpression[callee.property.name=/^toBeLess/] > MemberExpression > CallExpression[callee.name="expect"]' +
      ' > BinaryExpression > CallExpression[callee.object.name=/^(performance|Date)$/]',
    message: 'Any machine may be late. Give the limit to until(), which knows, or measure with eventually().',
  },
];

export default tseslint.config(
  {
    ignores: [
      '.cache',
      'test/compat/app',
      '**/dist',
      'coverage',
      'native/build',
      'prebuilds',
      'bench/results',
    ],
  },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-floating-promises': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', 400], // blank ones and comments included
      'no-restricted-syntax': [
        'error',
        {
          selector: 'BinaryExpression[operator="instanceof"][right.name=/^Gev(?!\\w*Error$)/]',
          message: 'A process may hold two builds of this class: look for a brand, as isBranded() does.',
        },
      ],
    },
  },
  { files: ['src/index.ts'], rules: restrictImports(outsideSource) },
  ...layerRules,
  {
    files: [engineChoice],
    rules: restrictImports(
      ...layerPatterns(
        'core',
        layers.findIndex((folders) => folders.includes('core')),
      ),
    ),
  },
  { files: ['{sample,test,bench}/**/*.{ts,js,mjs}'], ignores: ['test/unit/**'], rules: throughTheEntry },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-restricted-syntax': ['error', ...waits],
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: Object.fromEntries(
        ['Buffer', 'URL', 'clearInterval', 'clearTimeout', 'console', 'performance', 'process']
          .concat(['setImmediate', 'setInterval', 'setTimeout', 'structuredClone'])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  { files: ['**/*.cjs'], languageOptions: { globals: { __dirname: 'readonly' } } },
  prettier,
);
