#!/usr/bin/env node
// Reads the report of one test run: Jest's --json file or ctest's JUnit file. A missing report counts nothing.
//
//   node .ci/report.mjs count <report>      prints "<passed> <failed>"
//   node .ci/report.mjs failures <report>   prints the names and messages of what failed
import { existsSync, readFileSync } from 'node:fs';

const [, , command, report] = process.argv;
const text = existsSync(report) ? readFileSync(report, 'utf8') : '';

const readers = {
  jest: {
    count() {
      const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(text);
      return [numPassedTests, numFailedTests + numRuntimeErrorTestSuites];
    },
    failures: () =>
      JSON.parse(text)
        .testResults.filter(({ status }) => status === 'failed')
        .map(({ name, message }) => `${name}\n${message}`),
  },
  junit: {
    count() {
      const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? '';
      const number = (name) => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
      const failed = number('failures') + number('errors');
      return [number('tests') - failed - number('skipped') - number('disabled'), failed];
    },
    failures: () => text.match(/<testcase\b[^>]*status="fail"[\s\S]*?<\/testcase>/g) ?? [],
  },
};

const reader = report.endsWith('.json') ? readers.jest : readers.junit;
if (command === 'count') console.log((text === '' ? [0, 0] : reader.count()).join(' '));
else for (const failure of text === '' ? [] : reader.failures()) console.log(failure);
