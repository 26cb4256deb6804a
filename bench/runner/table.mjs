/**
 * Lines of a plain-text table: first column to the left, the others to the right.
 *
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
export function formatTable(head, rows) {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells) =>
    cells.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[0]))).join('  ');
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)];
}

/**
 * @param {number} value
 * @param {number} [digits]
 */
export const formatNumber = (value, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

/**
 * A ratio with its spread over the rounds: `1.52× (1.49–1.55)`.
 *
 * @param {import('./statistics.mjs').Summary | undefined} summary
 */
export function formatRatio(summary) {
  if (!summary) return '–';
  const [middle, low, high] = [summary.median, summary.lowest, summary.highest].map((value) =>
    value.toFixed(2),
  );
  return `${middle}× (${low}–${high})`;
}
