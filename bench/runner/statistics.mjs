/** @typedef {{ median: number, lowest: number, highest: number }} Summary */

/**
 * @param {readonly number[]} values at least one
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @typedef {{ ratio: number, low: number, high: number }} RatioInterval */

/**
 * The geometric mean of ratios with its 95 % confidence interval: Student's t on their logarithms.
 *
 * @param {readonly number[]} ratios independent of each other, at least two
 * @returns {RatioInterval}
 */
export function ratioInterval(ratios) {
  const logs = ratios.map(Math.log);
  const mean = average(logs);
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const half = student95(logs.length - 1) * Math.sqrt(variance / logs.length);
  return { ratio: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}

/** @param {readonly number[]} values at least one */
export const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {readonly number[]} values at least one */
export const geometricMean = (values) => Math.exp(average(values.map(Math.log)));

/** Student's t that is exceeded either way with 5 % probability, by Cornish and Fisher's expansion; exact for one and two. */
function student95(freedom) {
  if (freedom <= 2) return [12.706, 4.303][freedom - 1];
  const z = 1.959964;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, index) => sum + term / freedom ** (index + 1), z);
}

/**
 * @param {readonly number[]} values
 * @returns {Summary | undefined} undefined where there is nothing to summarise
 */
export function summarise(values) {
  if (values.length === 0 || !values.every(Number.isFinite)) return undefined;
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}

/**
 * A figure of one contender over the rounds, or (`over`) its ratio to the same figure of another contender: the ratio
 * of each round by itself, then the median of the ratios, so that a slow minute of the machine cancels out.
 *
 * @param {Record<string, import('./workload.mjs').Sample[]>} samples
 * @param {{ contender: string, metric: string, over?: string }} figure
 */
export function evaluate(samples, { contender, metric, over }) {
  const own = samples[contender]?.map((sample) => sample[metric]);
  if (!own) return undefined;
  if (!over) return summarise(own);
  const others = samples[over]?.map((sample) => sample[metric]);
  return others && summarise(own.map((value, round) => value / others[round]));
}

/**
 * @param {Record<string, import('./workload.mjs').Sample[]>} samples
 * @param {import('./workload.mjs').Target} target
 */
export function judge(samples, target) {
  const { atLeast = -Infinity, atMost = Infinity } = target;
  const measured = [target.contender]
    .flat()
    .map((contender) => evaluate(samples, { ...target, contender }))
    .filter(Boolean)
    .sort((a, b) => (atMost < Infinity ? a.median - b.median : b.median - a.median))[0];
  if (!measured) return { ...target, measured: null, met: null };
  return { ...target, measured, met: measured.median >= atLeast && measured.median <= atMost };
}

/**
 * A target that only the median meets, while some round misses it, is not quite met.
 *
 * @param {ReturnType<typeof judge>} judged
 */
export function verdict({ atLeast = -Infinity, atMost = Infinity, measured, met }) {
  if (met === null) return 'not measured';
  if (!met) return 'NOT MET';
  return measured.lowest >= atLeast && measured.highest <= atMost ? 'met' : 'met by the median only';
}
