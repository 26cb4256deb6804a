import { runGenerator } from '../runner/generator.mjs';
import { startServer } from '../runner/server.mjs';
import { inFolder } from '../runner/contenders.mjs';
import { average } from '../runner/statistics.mjs';

/** Slices of each server before those that count: its code is compiled meanwhile. */
const warmUpSlices = 16;
const measuredSlices = 32;
const pairMilliseconds = 120_000; // on a busy machine

/**
 * @typedef {object} Subject one load on one contender, whose revisions are compared
 * @property {import('../runner/workload.mjs').Case} benchCase
 * @property {import('../runner/workload.mjs').Contender} contender
 *
 * @typedef {{ baseline: number, candidate: number }} Pair CPU time a message of both revisions, in microseconds
 */

/**
 * Measures every subject in every pair: the contender's server of both revisions is started afresh, and the generator
 * loads them in turn, slice by slice. Who is started and loaded first changes from pair to pair.
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
      const servers = [];
      try {
        for (const name of order)
          servers.push(await startServer(inFolder(contender, folders[name]), settings.serverCpu));
        for (const subject of subjects.filter((one) => one.contender === contender)) {
          const [first, second] = await measureBoth(subject, servers, settings);
          measured.get(subject).push(
            Object.fromEntries([
              [order[0], first],
              [order[1], second],
            ]),
          );
        }
      } finally {
        await Promise.all(servers.map(({ child }) => child.stop()));
      }
    }
    onPair(pair + 1, measured);
  }
  return measured;
}

/** Returns the CPU time a message of each server. */
async function measureBoth({ benchCase, contender }, [server, rival], { loadCpu }) {
  try {
    const report = await runGenerator({
      port: server.port,
      serverPid: server.child.pid,
      cpu: loadCpu,
      load: {
        ...benchCase.load,
        messages: benchCase.slice,
        slices: warmUpSlices + measuredSlices,
        'rival-port': rival.port,
        'rival-pid': rival.child.pid,
      },
      milliseconds: pairMilliseconds,
    });
    return [report.cpuMicros, report.rivalCpuMicros].map((slices) => average(slices.slice(warmUpSlices)));
  } catch (error) {
    error.message = `${benchCase.title}, ${contender.label}: ${error.message}`;
    throw error;
  }
}
