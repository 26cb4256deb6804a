import { disturbedShare, isDisturbed } from './disturbance.mjs';
import { evaluate, verdict } from './statistics.mjs';
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
  const rows = targets.map((target) => [
    target.title,
    formatLimit(target),
    formatMeasured(target),
    verdict(target),
  ]);
  return ['', ...formatTable(['target', '', 'measured', ''], rows)];
}

/** @param {import('./workload.mjs').Target} target */
export function formatLimit({ atLeast, atMost, over }) {
  const limit = atLeast ?? atMost;
  return `${atLeast === undefined ? '≤' : '≥'} ${over ? `${limit.toFixed(2)}×` : formatNumber(limit)}`;
}

/** @param {ReturnType<typeof import('./statistics.mjs').judge>} target */
export function formatMeasured({ over, measured }) {
  if (over || !measured) return formatRatio(measured);
  const [middle, low, high] = [measured.median, measured.lowest, measured.highest].map((value) =>
    formatNumber(value),
  );
  return `${middle} (${low}–${high})`;
}

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
