import { describe, expect, it } from '@jest/globals';
import { GevClient, GevConnectError, GevListenError, GevServer, type GevEndpoint } from 'nestjs-gev';
import { fileURLToPath } from 'node:url';
import { Child } from '../kit/child.js';
import { onCleanup } from '../kit/cleanup.js';

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
  ])('M1: of %s, %i times, nothing is left: memory, descriptors, threads, handles', async (what, rounds) => {
    const [first, second, third, fourth, last] = await repeat(what, rounds, { loops });
    expect(last!.memory - first!.memory).toBeLessThan(SLAB_SIZE);
    // One or two of something may be on their way at any moment.
    for (const each of ['descriptors', 'threads', 'handles'] as const) {
      const ceiling = first![each] + rounds / 10;
      expect([second, third, fourth, last].filter((left) => left![each] >= ceiling)).toEqual([]);
    }
  });
});

describe.each([0, 1])('addresses longer than any, on %i loops', (loops) => {
  const lengths = [1025, 256 * 1024 - 92, 256 * 1024, 4e7];

  it.each(lengths)('M6: a path of %i characters is refused, by clients and servers', async (length) => {
    const path = 'x'.repeat(length);
    await expectRefused({ loops, path }, 'ENAMETOOLONG');
  });

  it.each(lengths)('M6: a scope of %i characters is refused, by clients and servers', async (length) => {
    await expectRefused({ loops, host: `fe80::1%${'x'.repeat(length)}`, port: 3 }, 'EINVAL');
  });

  it.each([108, 200, 1024])('M6: and so is what only this system finds too long: %i', async (length) => {
    await expectRefused({ loops, path: 'x'.repeat(length) }, 'ENAMETOOLONG');
  });

  async function expectRefused(options: GevEndpoint & { loops: number }, code: string): Promise<void> {
    const client = new GevClient({ ...options, reconnect: false });
    const server = new GevServer(options);
    onCleanup(() => Promise.all([client.close(), server.close()]));
    const refusals = [
      await client.connect().catch((error: unknown) => error),
      await new Promise<Error | undefined>((resolve) => server.listen(resolve)),
    ] as Error[];
    expect(refusals[0]).toBeInstanceOf(GevConnectError);
    expect(refusals[1]).toBeInstanceOf(GevListenError);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code });
      expect(refusal.message.length).toBeLessThan(1000);
    }
  }
});
