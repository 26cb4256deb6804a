/**
 * What a file in workloads/ exports as `workload`. A workload is data: what to start, what to send, which figures to
 * print, and what they must reach. The runner does the rest.
 *
 * @typedef {object} Workload
 * @property {string} name
 * @property {number} connections the default of --connections
 * @property {number} seconds the default of --seconds
 * @property {number} quickSeconds the same with --quick
 * @property {(settings: Settings) => readonly Case[]} cases
 * @property {{ cases: readonly string[], contenders: readonly string[] }} [compare] what --compare measures unless told
 *   otherwise
 *
 * @typedef {object} Contender a server; it prints `{"port":N}` once it listens on $HOST:$PORT
 * @property {string} id
 * @property {string} label
 * @property {readonly string[]} command
 * @property {Record<string, string>} [env]
 * @property {Generator} [generator] what loads it, where that is not gev_load
 *
 * @typedef {object} Generator a program with the options and the report of gev_load, as far as its workload needs them
 * @property {readonly string[]} command
 * @property {Record<string, string>} [env]
 *
 * @typedef {object} Case one load, put on each contender in turn
 * @property {string} id
 * @property {string} title
 * @property {readonly Contender[]} contenders
 * @property {Load} load
 * @property {number} [slice] messages of a slice, some 20 ms, where two revisions are compared; none: cannot be
 * @property {number} [rehearsals] runs of the same load on the same server before the one that counts
 * @property {readonly Column[]} columns
 * @property {readonly Target[]} targets
 *
 * @typedef {{ seconds: number } & Record<string, string | number>} Load
 *   options of the generator, by name
 *
 * @typedef {Record<string, number>} Sample the generator's report of one run
 *
 * @typedef {object} Column a figure, or its ratio to the same figure of another contender
 * @property {string} title
 * @property {string} metric a name in the sample
 * @property {number} [digits] after the point
 * @property {number} [scale] multiplies the figure
 * @property {string} [over] contender that it is divided by, round by round
 *
 * @typedef {object} Target what a figure, or a ratio, of one contender must reach
 * @property {string} title
 * @property {string | readonly string[]} contender of several, the one that does best
 * @property {string} metric
 * @property {string} [over]
 * @property {number} [atLeast]
 * @property {number} [atMost]
 *
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {number} seconds
 * @property {number} warmUp
 * @property {number} connections
 * @property {number} retries of a disturbed run
 * @property {number} serverCpu
 * @property {number} loadCpu
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from './errors.mjs';
import { benchFolder } from './paths.mjs';

/** The workloads there are: one a file. */
export const workloadNames = () =>
  readdirSync(join(benchFolder, 'workloads'))
    .filter((file) => file.endsWith('.mjs'))
    .map((file) => file.slice(0, -'.mjs'.length))
    .sort();

/**
 * @param {string | undefined} name
 * @returns {Promise<Workload>}
 */
export async function loadWorkload(name) {
  const names = workloadNames();
  if (!name || !names.includes(name)) {
    throw new BenchError(`${name ? `No workload "${name}"` : 'Name a workload'}: ${names.join(', ')}.`);
  }
  return (await import(`../workloads/${name}.mjs`)).workload;
}

/**
 * The members of `all` named in a comma-separated list; all of them without one.
 *
 * @template {{ id: string }} T
 * @param {string} option
 * @param {string | undefined} list
 * @param {readonly T[]} all
 */
export function choose(option, list, all) {
  if (list === undefined) return all;
  return list.split(',').map((id) => {
    const found = all.find((one) => one.id === id);
    if (!found)
      throw new BenchError(`--${option}: "${id}" is none of ${all.map((one) => one.id).join(', ')}.`);
    return found;
  });
}

/**
 * The cases with only those contenders that are named in a comma-separated list; cases without any are left out.
 *
 * @param {readonly Case[]} cases
 * @param {string | undefined} list
 */
export function withContenders(cases, list) {
  const all = [...new Set(cases.flatMap(({ contenders }) => contenders))];
  const chosen = choose('contenders', list, all);
  return cases
    .map((one) => ({ ...one, contenders: one.contenders.filter((contender) => chosen.includes(contender)) }))
    .filter(({ contenders }) => contenders.length > 0);
}
