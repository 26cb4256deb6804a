import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluate } from './statistics.mjs';
import { resultsFolder } from './paths.mjs';

/**
 * Writes what was measured: settings, machine, the samples of every round, the medians, the targets.
 *
 * @param {{ workload: string } & Record<string, unknown>} result
 * @param {boolean} save as the committed result rather than the latest
 * @returns {string} the file's name
 */
export function writeResult(result, save) {
  const name = `${result.workload}${save ? '' : '.latest'}.json`;
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(join(resultsFolder, name), `${JSON.stringify(result, undefined, 2)}\n`);
  return name;
}

/**
 * Median, lowest and highest of each figure of each contender.
 *
 * @param {Record<string, import('./workload.mjs').Sample[]>} samples
 * @param {readonly import('./workload.mjs').Column[]} columns
 */
export function summariseSamples(samples, columns) {
  const metrics = [...new Set(columns.map(({ metric }) => metric))];
  const summarise = (contender) =>
    Object.fromEntries(metrics.map((metric) => [metric, evaluate(samples, { contender, metric }) ?? null]));
  return Object.fromEntries(Object.keys(samples).map((contender) => [contender, summarise(contender)]));
}
