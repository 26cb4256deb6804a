#!/usr/bin/env node
// npm run bench -- <workload> [options]: measures this project beside its yardsticks. See README.md.
import process from 'node:process';
import { compare } from './compare/compare.mjs';
import { buildNative } from './runner/build.mjs';
import { killAllAtExit } from './runner/children.mjs';
import { requireBuilt } from './runner/contenders.mjs';
import { BenchError } from './runner/errors.mjs';
import { checkMachine, describeMachine, formatMachine } from './runner/machine.mjs';
import { measureCase } from './runner/measure.mjs';
import { formatCase } from './runner/report.mjs';
import { summariseCase, writeResult } from './runner/results.mjs';
import { parseCommandLine, resolveSettings, usage } from './runner/settings.mjs';
import { judge } from './runner/statistics.mjs';
import { formatNumber } from './runner/table.mjs';
import { choose, loadWorkload, withContenders, workloadNames } from './runner/workload.mjs';

const print = (...lines) => process.stdout.write(`${lines.join('\n')}\n`);

/** Returns the exit code. */
async function main() {
  const { workload: name, values } = parseCommandLine(process.argv.slice(2));
  if (values.help) {
    print(usage, `Workloads: ${workloadNames().join(', ')}`);
    return 0;
  }
  const workload = await loadWorkload(name);
  const settings = resolveSettings(values, workload);
  if (values.compare !== undefined) return compare(workload, settings, values);
  const cases = withContenders(choose('cases', values.cases, workload.cases(settings)), values.contenders);
  const warnings = checkMachine(settings);
  const machine = describeMachine();
  buildNative();
  await requireBuilt(cases.flatMap(({ contenders }) => contenders));

  print(formatMachine(machine), formatSettings(settings), ...warnings, '');
  const measured = [];
  for (const benchCase of cases) {
    const samples = await measureCase(benchCase, settings, showProgress(benchCase, settings));
    const targets = benchCase.targets.map((target) => judge(samples, target));
    print(...formatCase(benchCase, samples, targets), '');
    measured.push(summariseCase(benchCase, samples, targets));
  }
  const result = {
    workload: workload.name,
    date: new Date().toISOString(),
    machine,
    settings,
    cases: measured,
  };
  print(`Written: bench/results/${writeResult(result, values.save)}`);
  const missed = measured.some(({ targets }) => targets.some(({ met }) => met !== true));
  return values.check && missed ? 1 : 0;
}

const formatSettings = ({ rounds, seconds, serverCpu, loadCpu }) =>
  `${rounds} rounds × ${seconds} s, interleaved · server on core ${serverCpu}, generator on core ${loadCpu}`;

/** One line a run on stderr, so that stdout holds the report alone. */
function showProgress(benchCase, { rounds }) {
  const { metric, title } = benchCase.columns[0];
  return (round, { label }, sample) =>
    process.stderr.write(
      `${benchCase.title} · round ${round + 1}/${rounds} · ${label}: ${formatNumber(sample[metric])} ${title}\n`,
    );
}

killAllAtExit();
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof BenchError ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
