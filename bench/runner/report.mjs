import { disturbedShare, isDisturbed } from './disturbance.mjs';
import { evaluate } from './statistics.mjs';
import { formatNumber, formatRatio, formatTable } from './table.mjs';

/**
 * The lines printed for one case: its table, then its targets.
 *
 * @param {import('./workload.mjs').Case} benchCase
 * @param {Record<string, import('./workload.mjs').Sample[]>} samples
 * @param {readonly ReturnType<typeof import('./statistics.mjs').judge>[]} targets
 */
export function formatCase(benchCase, samples, targets) {
  const head = ['', ...benchCase.columns.map(({ title }) => title)];
  const rows = benchCase.contenders.map(({ id, label }) => [
    label,
    ...benchCase.columns.map((column) => formatCell(samples, id, column)),
  ]);
  return [
    benchCase.title,
    '',
    ...formatTable(head, rows),
    ...formatTargets(targets),
    ...formatNotes(samples),
  ];
}

function formatCell(samples, contender, { metric, over, digits, scale = 1 }) {
  if (contender === over) return '1';
  const summary = evaluate(samples, { contender, metric, over });
  if (!summary) return '–';
  return over ? formatRatio(summary) : formatNumber(summary.median * scale, digits);
}

function formatTargets(targets) {
  if (targets.length === 0) return [];
  const rows = targets.map(({ title, atLeast, atMost, over, measured, met }) => {
    const limit =
      atLeast === undefined ? `≤ ${formatLimit(atMost, over)}` : `≥ ${formatLimit(atLeast, over)}`;
    const value = over || !measured ? formatRatio(measured) : formatNumber(measured.median);
    return [title, limit, value, met === null ? 'not measured' : met ? 'met' : 'NOT MET'];
  });
  return ['', ...formatTable(['target', '', 'measured', ''], rows)];
}

const formatLimit = (limit, over) => (over ? `${limit.toFixed(2)}×` : formatNumber(limit));

function formatNotes(samples) {
  const all = Object.values(samples).flat();
  const disturbed = all.filter(isDisturbed).length;
  if (disturbed === 0) return [];
  return [
    '',
    `Note: ${disturbed} of ${all.length} runs shared a core with other processes for more than ` +
      `${disturbedShare * 100} % of the time. Trust the ratios less, the absolute figures not at all.`,
  ];
}
