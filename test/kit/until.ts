import { setImmediate as turn } from 'node:timers/promises';
import { IdleShare, LONGEST_POLL, WaitClock } from './wait-clock.js';

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
  for (let looks = 1; !condition(); looks++) {
    if (clock.read() > timeout) throw new Error(`Not within ${timeout} ms: ${what}`);
    // Most conditions come true at once, others will not mind.
    await (looks <= 20 ? turn() : pause(looks <= 100 ? 2 : LONGEST_POLL));
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

/**
 * A measurement that a busy machine can spoil, but not improve: the first good one of a few counts.
 *
 * @param attempts on a quiet machine; one that failed while no processor was idle counts for a tenth
 */
export async function eventually(attempts: number, attempt: () => Promise<void>): Promise<void> {
  for (let spent = 0; ;) {
    const idle = new IdleShare();
    try {
      await attempt();
      return;
    } catch (error) {
      spent += idle.read();
      if (Math.round(spent) >= attempts) throw error;
    }
  }
}

/** Keeps the JavaScript thread from its event loop for so many ms, and costs no processor. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Keeps the JavaScript thread and its processor busy for so many ms. */
export function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** For what is measured over time; not to wait for something to have happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
