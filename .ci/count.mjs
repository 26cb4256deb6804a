#!/usr/bin/env node
// Prints "<passed> <failed>" of one test run, from Jest's --json file or ctest's JUnit file.
//
//   node .ci/count.mjs <report>      a missing report counts nothing
import { existsSync, readFileSync } from 'node:fs';

const [, , report] = process.argv;

function count() {
  if (!existsSync(report)) return [0, 0];
  const text = readFileSync(report, 'utf8');
  if (report.endsWith('.json')) {
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(text);
    return [numPassedTests, numFailedTests + numRuntimeErrorTestSuites];
  }
  const suite = /<testsuite\b[^>]*>/.exec(text)?.[0] ?? '';
  const number = (name) => Number(new RegExp(`\\s${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = number('failures') + number('errors');
  return [number('tests') - failed - number('skipped') - number('disabled'), failed];
}

console.log(count().join(' '));
