/** Polls until the condition holds. Says what it waited for when that takes too long. */
export async function until(
  condition: () => unknown,
  what = String(condition),
  timeout = 15_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeout} ms: ${what}`);
    await pause(2);
  }
}

/** Waits until a number has not changed for `quiet` ms: something has come to rest. */
export async function settled(read: () => number, quiet = 250, timeout = 15_000): Promise<number> {
  let last = read();
  let since = performance.now();
  await until(
    () => {
      const value = read();
      if (value !== last) {
        last = value;
        since = performance.now();
      }
      return performance.now() - since >= quiet;
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
