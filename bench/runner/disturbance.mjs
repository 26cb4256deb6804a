/** More of a window than this in the hands of processes outside of the run, and the run was disturbed. */
export const disturbedShare = 0.05;

/** Idle time is counted in steps of 10 ms: over shorter windows its share says nothing. */
const shortestWindowSeconds = 0.4;

/**
 * The largest share of the window that others had of the generator's or of the server's core. It says nothing about
 * how fast the server was, so runs may be chosen by it without favouring anybody.
 *
 * @param {import('./workload.mjs').Sample} sample
 */
export function disturbance({ seconds, generatorWaited = 0, serverCoreForeign = 0, loadCoreForeign = 0 }) {
  const foreign = Math.max(serverCoreForeign, loadCoreForeign);
  return Math.max(generatorWaited, seconds < shortestWindowSeconds ? 0 : foreign);
}

/** @param {import('./workload.mjs').Sample} sample */
export const isDisturbed = (sample) => disturbance(sample) > disturbedShare;
