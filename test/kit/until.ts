import { POLL, WaitClock } from './wait-clock.js';

/** Enough for anything on a quiet machine; on a busy one it takes longer, see {@link WaitClock}. */
const PATIENCE = 15_000;

/**
 * Polls until the condition holds. Says what it waited for when that takes too long.
 *
 * @param timeout as on a quiet machine, in ms: see {@link WaitClock}
 */
export async function until(
  condition: () => unknown,
  what = String(condition),
  timeout = PATIENCE,
): Promise<void> {
  const clock = new WaitClock();
  while (!condition()) {
    if (clock.read() > timeout) throw new Error(`Not within ${timeout} ms: ${what}`);
    await pause(POLL);
  }
}

/** Waits until a number has not changed for `quiet` ms, as on a quiet machine: something has come to rest. */
export async function settled(read: () => number, quiet = 250, timeout = PATIENCE): Promise<number> {
  let last = read();
  let rest = new WaitClock();
  await until(
    () => {
      const value = read();
      if (value !== last) {
        last = value;
        rest = new WaitClock();
      }
      return rest.read() >= quiet;
    },
    `${String(read)} comes to rest`,
    timeout,
  );
  return last;
}

/** A measurement that a busy machine can spoil, but not improve: the first good one of a few counts. */
export async function eventually(attempts: number, attempt: () => Promise<void>): Promise<void> {
  for (let number = 1; ; number++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (number >= attempts) throw error;
    }
  }
}

/** For what is measured over time; not to wait for something to have happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
