import { average, geometricMean, ratioInterval } from '../runner/statistics.mjs';
import { formatNumber, formatTable } from '../runner/table.mjs';

/** What a change may cost, where nobody says otherwise. */
const usualMaxRatio = 1.03;

/** @typedef {import('../runner/statistics.mjs').RatioInterval} RatioInterval */

/**
 * @typedef {object} Row
 * @property {string} title
 * @property {number} [baseline] mean CPU time a message, in microseconds
 * @property {number} [candidate]
 * @property {RatioInterval} interval of candidate to baseline
 */

/**
 * A row for each subject, and one for all of them: the geometric mean of their ratios, pair by pair.
 *
 * @param {ReadonlyMap<import('./pairs.mjs').Subject, readonly import('./pairs.mjs').Pair[]>} measured
 * @returns {Row[]}
 */
export function summarisePairs(measured) {
  const ratios = (pairs) => pairs.map(({ baseline, candidate }) => candidate / baseline);
  const rows = [...measured].map(([{ benchCase, contender }, pairs]) => ({
    title: `${benchCase.title} · ${contender.label}`,
    baseline: average(pairs.map(({ baseline }) => baseline)),
    candidate: average(pairs.map(({ candidate }) => candidate)),
    interval: ratioInterval(ratios(pairs)),
  }));
  if (rows.length < 2) return rows;
  const columns = [...measured.values()].map(ratios);
  const together = columns[0].map((_, pair) => geometricMean(columns.map((column) => column[pair])));
  return [...rows, { title: 'all of them', interval: ratioInterval(together) }];
}

/** @param {readonly Row[]} rows */
export function formatRows(rows) {
  const micros = (value) => (value === undefined ? '' : formatNumber(value, 2));
  return formatTable(
    ['CPU µs/msg', 'baseline', 'candidate', 'ratio', '95 % interval'],
    rows.map(({ title, baseline, candidate, interval: { ratio, low, high } }) => [
      title,
      micros(baseline),
      micros(candidate),
      ratio.toFixed(3),
      `${low.toFixed(3)}–${high.toFixed(3)}`,
    ]),
  );
}

/** A difference with its interval: `+1.2 % (0.1–2.3)`. @param {RatioInterval} interval */
export function formatDifference({ ratio, low, high }) {
  const percent = (value) =>
    ((value - 1) * 100)
      .toFixed(1)
      .replace(/^-0\.0$/, '0.0')
      .replace('-', '−');
  const sign = Number(((ratio - 1) * 100).toFixed(1)) > 0 ? '+' : '';
  return `${sign}${percent(ratio)} % (${percent(low)} to ${percent(high)})`;
}

/**
 * Whether the rows keep to a limit. One whose interval lies above it does not; one whose interval contains it may.
 *
 * @param {readonly Row[]} rows the last one is for all
 * @param {number} [maxRatio]
 * @returns {{ exceeded: boolean, lines: string[] }}
 */
export function judgeRows(rows, maxRatio = usualMaxRatio) {
  const asked = `≤ ${Number(((maxRatio - 1) * 100).toFixed(2))} % asked`;
  const above = rows.filter(({ interval }) => interval.low > maxRatio);
  const word = ({ low, high }) => (low > maxRatio ? 'EXCEEDED' : high > maxRatio ? 'not decided' : 'met');
  const { interval } = rows.at(-1);
  return {
    exceeded: above.length > 0,
    lines: [
      `${asked}: ${formatDifference(interval)} · ${word(interval)}`,
      ...above
        .filter((row) => row !== rows.at(-1))
        .map((row) => `${asked}: ${formatDifference(row.interval)} · EXCEEDED by ${row.title}`),
    ],
  };
}
