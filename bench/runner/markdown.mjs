import { isDisturbed } from './disturbance.mjs';
import { formatHardware } from './machine.mjs';
import { formatLimit, formatMeasured } from './report.mjs';
import { evaluate, verdict } from './statistics.mjs';
import { formatNumber } from './table.mjs';

/** @typedef {ReturnType<typeof import('./results.mjs').summariseCase>} SavedCase */

/** @typedef {{ workload: string, date: string, machine: object, settings: object, cases: SavedCase[] }} SavedResult */

/**
 * Saved results in Markdown: of each case the first figure with its ratio, then every target with what was measured.
 *
 * @param {readonly SavedResult[]} results
 */
export function formatResults(results) {
  const hardware = results.map(({ machine }) => formatHardware(machine));
  return results
    .flatMap((result, index) => [
      `### ${result.workload}`,
      ...(hardware[index] === hardware[index - 1] ? [] : [hardware[index]]),
      ...formatResult(result),
    ])
    .join('\n\n');
}

/** @param {SavedResult} result */
function formatResult({ workload, date, settings, cases }) {
  return [
    `Medians of ${settings.rounds} interleaved rounds, ${date.slice(0, 10)}, one core for the server and one for the load; ` +
      'what was measured stands with its lowest and highest round.',
    ...groupByContenders(cases).map((group) => formatFigures(workload, group)),
    formatTargets(workload, cases),
    ...formatNote(cases),
  ];
}

/** Cases with the same contenders share a table. @param {readonly SavedCase[]} cases */
function groupByContenders(cases) {
  const groups = new Map();
  for (const one of cases) {
    const key = Object.keys(one.labels).join();
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

/** One row a contender, one column a case. */
function formatFigures(workload, group) {
  const head = group.map((one) => `${shortTitle(workload, one)}, ${one.columns[0].title}`);
  const rows = Object.entries(group[0].labels).map(([contender, label]) => [
    label,
    ...group.map((one) => formatFigure(one, contender)),
  ]);
  return formatMarkdownTable(['', ...head], rows);
}

function formatFigure({ samples, columns }, contender) {
  const [{ metric }] = columns;
  const over = columns.find((column) => column.metric === metric && column.over);
  const summary = evaluate(samples, { contender, metric });
  if (!summary) return '–';
  const figure = formatNumber(summary.median);
  const ratio = over && over.over !== contender && evaluate(samples, { contender, metric, over: over.over });
  return ratio ? `${figure} (${ratio.median.toFixed(2)} ${over.title})` : figure;
}

function formatTargets(workload, cases) {
  const rows = cases.flatMap((one) =>
    one.targets.map((target) => [
      `${shortTitle(workload, one)}: ${target.title}`,
      formatLimit(target),
      formatMeasured(target),
      verdict(target),
    ]),
  );
  return formatMarkdownTable(['target', '', 'measured', ''], rows);
}

function formatNote(cases) {
  const all = cases.flatMap(({ samples }) => Object.values(samples).flat());
  const disturbed = all.filter(isDisturbed).length;
  return disturbed === 0 ? [] : [`${disturbed} of ${all.length} runs were disturbed by other processes.`];
}

/** Without the workload's name, which stands above. */
const shortTitle = (workload, { title }) => title.replace(`${workload} · `, '');

export function formatMarkdownTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column ? '--:' : '---'))), ...rows.map(line)].join('\n');
}
