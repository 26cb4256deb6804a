import { describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { Child } from '../kit/child.js';

const script = fileURLToPath(new URL('../kit/children/leaks.mjs', import.meta.url));

interface Left {
  readonly memory: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly handles: number;
}

/** What is left after each fifth of the rounds. */
async function repeat(what: string, rounds: number, options: object): Promise<Left[]> {
  const child = Child.start(['--expose-gc', script, what, String(rounds), JSON.stringify(options)]);
  expect({ ...(await child.exit(120_000)), errors: child.errors }).toMatchObject({ code: 0 });
  return child.lines.map((line) => JSON.parse(line) as Left);
}

/** A loop's memory is nine slabs of this size: to leak anything of it forty times is far more. */
const SLAB_SIZE = 256 * 1024;

describe.each([0, 2])('memory that is given back, on %i loops', (loops) => {
  it.each([
    ['start and stop', 50],
    ['failed listen', 50],
    ['refused client', 50],
    ['new client', 50],
    ['reconnect', 2000],
  ])(
    'M1: of %s, %i times, nothing is left: memory, descriptors, threads, handles',
    async (what, rounds) => {
      const [first, second, third, fourth, last] = await repeat(what, rounds, { loops });
      expect(last!.memory - first!.memory).toBeLessThan(SLAB_SIZE);
      // One or two of something may be on their way at any moment.
      for (const each of ['descriptors', 'threads', 'handles'] as const) {
        const ceiling = first![each] + rounds / 10;
        expect([second, third, fourth, last].filter((left) => left![each] >= ceiling)).toEqual([]);
      }
    },
    180_000,
  );
});
