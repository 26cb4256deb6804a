import { afterEach } from '@jest/globals';

const cleanups: (() => unknown)[] = [];

/** Runs at the end of the test, last in first out. */
export function onCleanup(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
