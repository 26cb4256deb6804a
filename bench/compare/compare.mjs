import process from 'node:process';
import { buildNative } from '../runner/build.mjs';
import { BenchError } from '../runner/errors.mjs';
import { checkMachine, describeMachine, formatMachine } from '../runner/machine.mjs';
import { writeResult } from '../runner/results.mjs';
import { resolveComparison } from '../runner/settings.mjs';
import { choose } from '../runner/workload.mjs';
import { measurePairs } from './pairs.mjs';
import { buildThisTree, checkOut, resolveRevision, stage, unstage } from './revision.mjs';
import { formatDifference, formatRows, judgeRows, summarisePairs } from './summary.mjs';

const print = (...lines) => process.stdout.write(`${lines.join('\n')}\n`);
const tell = (line) => process.stderr.write(`${line}\n`);

/**
 * npm run bench -- <workload> --compare REV: the CPU time a message of this tree (the candidate) beside that of another
 * revision (the baseline).
 *
 * @param {import('../runner/workload.mjs').Workload} workload
 * @param {import('../runner/workload.mjs').Settings} settings
 * @param {ReturnType<typeof import('../runner/settings.mjs').parseCommandLine>['values']} values
 * @returns {Promise<number>} the exit code
 */
export async function compare(workload, settings, values) {
  const { pairs, maxRatio } = resolveComparison(values);
  const subjects = chooseSubjects(workload, settings, values);
  const warnings = checkMachine(settings);
  const machine = describeMachine();
  const commit = resolveRevision(values.compare);
  process.once('exit', unstage);
  buildNative();
  const checkout = checkOut(commit, (step) => tell(`${values.compare}: ${step}`));
  // Names of one length: how long paths are moves what the kernel and V8 lay out in memory.
  const folders = { baseline: stage(checkout, 'old'), candidate: stage(buildThisTree(), 'new') };
  print(
    formatMachine(machine),
    `baseline ${values.compare} (${commit.slice(0, 7)}), candidate this tree · ${pairs} pairs, slices in turn · ` +
      `server on core ${settings.serverCpu}, generator on core ${settings.loadCpu}`,
    ...warnings,
    '',
  );
  const measured = await measurePairs(subjects, folders, { ...settings, pairs }, showProgress(pairs));
  const rows = summarisePairs(measured);
  const { exceeded, lines } = judgeRows(rows, maxRatio);
  print(...formatRows(rows), '', ...lines);
  const result = {
    workload: `${workload.name}-compare`,
    date: new Date().toISOString(),
    machine,
    commit,
    settings: { ...settings, pairs },
    rows,
    pairs: [...measured].map(([{ benchCase, contender }, both]) => [benchCase.id, contender.id, both]),
  };
  print(`Written: bench/results/${writeResult(result, false)}`);
  return exceeded && maxRatio !== undefined ? 1 : 0;
}

/** @returns {import('./pairs.mjs').Subject[]} */
function chooseSubjects(workload, settings, { cases, contenders }) {
  const comparable = workload.cases(settings).filter(({ slice }) => slice !== undefined);
  if (comparable.length === 0) throw new BenchError(`${workload.name} cannot be compared: echo and rpc can.`);
  const { compare: usual } = workload;
  const chosen = choose('cases', cases ?? usual.cases.join(), comparable);
  const all = [...new Set(chosen.flatMap((benchCase) => benchCase.contenders))];
  const wanted = choose('contenders', contenders ?? usual.contenders.join(), all);
  return chosen.flatMap((benchCase) =>
    wanted
      .filter((contender) => benchCase.contenders.includes(contender))
      .map((contender) => ({ benchCase, contender })),
  );
}

function showProgress(pairs) {
  const started = performance.now();
  return (done, measured) => {
    const seconds = (performance.now() - started) / 1000;
    const left = Math.round((seconds / done) * (pairs - done));
    const so = done > 1 ? ` · ${formatDifference(summarisePairs(measured).at(-1).interval)}` : '';
    tell(`pair ${done}/${pairs}${so} · ${left} s left`);
  };
}
