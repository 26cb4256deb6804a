import { describe, expect, it } from '@jest/globals';
import { Child, root } from '../kit/child.js';
import { load } from '../kit/load.js';

const jest = 'node_modules/jest/bin/jest.js';

/** Runs a test file of test/kit/children in a Jest of its own. */
function jestRun(fixture: string, loops: number, ...args: string[]): Child {
  return Child.start(
    [
      ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest, `--rootDir=${root}`],
      ...['--testMatch', `**/test/kit/children/${fixture}`, ...args],
    ],
    { env: { LOOPS: `${loops}` } },
  );
}

describe.each([0, 2])('the end of a process under load, on %i loops', (loops) => {
  it('S13: process.exit(3) in a handler ends it with 3', async () => {
    const child = Child.scenario('exit', { loops });
    load((await child.report('port')).port);
    expect(await child.exit()).toEqual({ code: 3, signal: null });
    expect(child.errors).toEqual([]);
  });

  it.each(['throw in setImmediate', 'throw in nextTick', 'throw in a promise'])(
    'S13: an uncaught %s',
    async (name) => {
      const child = Child.scenario(name, { loops });
      load((await child.report('port')).port);
      expect(await child.exit()).toEqual({ code: 1, signal: null });
      expect(child.errors.join('\n')).toContain('Error: boom');
    },
  );

  it('S13: SIGTERM without a listener ends it at once', async () => {
    const child = Child.scenario('counted', { loops });
    load((await child.report('port')).port);
    child.kill('SIGTERM');
    expect(await child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('S13: workers with a busy server are terminated, five in one process, and leave no thread', async () => {
    const child = Child.scenario('terminate', { loops });
    for (let round = 1; round <= 5; round++) {
      const key = `port${round}`;
      load((await child.report(key))[key]);
    }
    const { before, after } = await child.report('after');
    expect(after).toBe(before);
    expect(await child.exit()).toEqual({ code: 0, signal: null });
    expect(child.errors).toEqual([]);
  });

  it('S13: a Jest file that closes its server lets Jest end by itself', async () => {
    const child = jestRun('closed.fixture.ts', loops);
    expect(await child.exit()).toEqual({ code: 0, signal: null });
    expect(child.errors.join('\n')).not.toContain('did not exit');
  });

  it('S13: one that leaves it running under load ends well with --forceExit', async () => {
    const child = jestRun('left-open.fixture.ts', loops, '--forceExit', '--env=node'); // no look at what is left
    expect(await child.exit()).toEqual({ code: 0, signal: null });
  });
});
