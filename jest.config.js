import { slowness } from './test/kit/slowness.js';

/** @type {import('jest').Config} */
export default {
  testEnvironment: './test/kit/ledger-environment.mjs',
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^nestjs-gev$': '<rootDir>/src/index.ts',
    '^nestjs-gev/(core|msgpack)$': '<rootDir>/src/$1/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: [
    '<rootDir>/dist/',
    '<rootDir>/sample/dist/',
    '<rootDir>/native/build/',
    '<rootDir>/.cache/',
  ],
  // For promises that never settle: `until` of test/kit gives up before, and says what it waited for.
  testTimeout: Math.ceil(60_000 * slowness()),
  maxWorkers: 2,
  collectCoverageFrom: ['src/**/*.ts', '!src/index.ts', '!src/{core,msgpack}/index.ts'],
  coverageProvider: 'v8',
};
