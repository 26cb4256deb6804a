import assert from 'node:assert/strict';

const LIMIT_MS = 30_000;
const cleanups: (() => unknown)[] = [];

/** Called when the step is over, the last one first. */
export function onCleanup(action: () => unknown): void {
  cleanups.push(action);
}

/** Tries something, and says so in a line: with what went wrong, if anything did. */
export async function step(name: string, action: () => Promise<void>): Promise<void> {
  const outcome = await within(action()).then(
    () => undefined,
    (error: unknown) => error,
  );
  const failures = [outcome];
  for (const cleanup of cleanups.splice(0).reverse()) {
    await within(Promise.resolve(cleanup())).catch((error: unknown) => failures.push(error));
  }
  const error = failures.find((each) => each !== undefined);
  console.log(JSON.stringify({ step: name, ...(error !== undefined && { error: show(error) }) }));
}

/** Fails when a promise takes too long. */
async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('It takes too long')), LIMIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + LIMIT_MS / 2;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `In time: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function show(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
