/** Of the time that peers have to go, and at most, how much is left to find a moment for FIN with those that are never quiet. */
const SHARE = 0.1;
const MOST_MS = 1_000;

/**
 * How long before the end peers hear FIN as soon as they are owed nothing. Where half of it has brought no such moment, what
 * was read by then is answered, and nothing more is read.
 *
 * @param time in ms, as the result: that they have in all
 */
export function lastMoments(time: number): number {
  return Math.min(time * SHARE, MOST_MS);
}
