import { inFolder } from '../runner/contenders.mjs';
import { startServer } from '../runner/server.mjs';
import { average } from '../runner/statistics.mjs';
import { loadClientsInTurn, loadServersInTurn } from './in-turn.mjs';

/**
 * Slices of each side before those that count: its code is compiled meanwhile, by threads whose CPU time is the process'.
 * In runs of 600 slices the ratio of two revisions was 1 to 4 points higher in the first hundred than in the others.
 */
const warmUpSlices = 100;
const measuredSlices = 32;

/**
 * @typedef {object} Subject one load on one contender, whose revisions are compared
 * @property {import('../runner/workload.mjs').Case} benchCase
 * @property {import('../runner/workload.mjs').Contender} contender
 *
 * @typedef {object} Side a revision in a pair
 * @property {'baseline' | 'candidate'} name
 * @property {string} folder where it is staged
 * @property {Awaited<ReturnType<typeof startServer>>} server
 *
 * @typedef {{ baseline: number, candidate: number }} Pair CPU time a message of both revisions, in microseconds
 */

/**
 * Measures every subject in every pair: the contender's server of both revisions is started afresh, and loaded in turn,
 * slice by slice. Who is started and loaded first changes from pair to pair.
 *
 * @param {readonly Subject[]} subjects
 * @param {{ baseline: string, candidate: string }} folders staged revisions
 * @param {{ pairs: number, serverCpu: number, loadCpu: number }} settings
 * @param {(done: number, pairs: ReadonlyMap<Subject, readonly Pair[]>) => void} onPair
 * @returns {Promise<ReadonlyMap<Subject, readonly Pair[]>>}
 */
export async function measurePairs(subjects, folders, settings, onPair) {
  const measured = new Map(subjects.map((subject) => [subject, []]));
  const contenders = [...new Set(subjects.map(({ contender }) => contender))];
  for (let pair = 0; pair < settings.pairs; ++pair) {
    const order = pair % 2 ? ['candidate', 'baseline'] : ['baseline', 'candidate'];
    for (const contender of contenders) {
      const sides = [];
      try {
        for (const name of order) sides.push(await startSide(contender, name, folders[name], settings));
        for (const subject of subjects.filter((one) => one.contender === contender)) {
          measured.get(subject).push(await measurePair(subject, sides, settings));
        }
      } finally {
        await Promise.all(sides.map(({ server }) => server.child.stop()));
      }
    }
    onPair(pair + 1, measured);
  }
  return measured;
}

async function startSide(contender, name, folder, { serverCpu }) {
  return { name, folder, server: await startServer(inFolder(contender, folder), serverCpu) };
}

/** @returns {Promise<Pair>} */
async function measurePair(subject, sides, { loadCpu }) {
  const { benchCase, contender } = subject;
  // What stands in for the generator is itself what is measured.
  const loadInTurn = contender.generator ? loadClientsInTurn : loadServersInTurn;
  try {
    const slices = await loadInTurn(subject, sides, { cpu: loadCpu, slices: warmUpSlices + measuredSlices });
    return Object.fromEntries(
      sides.map(({ name }, index) => [name, average(slices[index].slice(warmUpSlices))]),
    );
  } catch (error) {
    error.message = `${benchCase.title}, ${contender.label}: ${error.message}`;
    throw error;
  }
}
