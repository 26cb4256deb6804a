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
 * What is kept of one case: with each figure of each contender its median, lowest and highest.
 *
 * @param {import('./workload.mjs').Case} benchCase
 * @param {Record<string, import('./workload.mjs').Sample[]>} samples
 * @param {readonly ReturnType<typeof import('./statistics.mjs').judge>[]} targets
 */
export function summariseCase({ id, title, contenders, load, columns }, samples, targets) {
  const metrics = [...new Set(columns.map(({ metric }) => metric))];
  const medians = Object.fromEntries(
    contenders.map(({ id: contender }) => [
      contender,
      Object.fromEntries(metrics.map((metric) => [metric, evaluate(samples, { contender, metric }) ?? null])),
    ]),
  );
  const labels = Object.fromEntries(contenders.map(({ id: contender, label }) => [contender, label]));
  return { id, title, load, labels, columns, medians, targets, samples };
}
