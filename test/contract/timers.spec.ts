import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import {
  GevModule,
  GevServer,
  type GevServerOptions,
  GevTimerError,
  GevTimerRegistry,
  RunAfter,
  RunEvery,
} from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { serve } from '../kit/serve.js';
import { block, eventually, pause, settled, until } from '../kit/until.js';

const BAD_INTERVALS = [
  0,
  -1,
  -Infinity,
  Number.NaN,
  1.5,
  2 ** 31,
  Infinity,
  '100',
  null,
  undefined,
] as number[];

/** Starts and listens as Nest does, without an application. */
function listen(server: GevServer): Promise<void> {
  onCleanup(() => server.close());
  return new Promise((resolve, reject) =>
    server.listen((error) => (error === undefined ? resolve() : reject(error))),
  );
}

describe.each([0, 2])('timers on %i loops', (loops) => {
  const options: GevServerOptions = { host: '127.0.0.1', port: 0, loops };

  it('T1: runEvery keeps a fixed rate: 10 × 100 ms end at 1,000 ± 5 ms, and no tick is early', async () => {
    const { server } = await serve({ loops });
    let earliest = Infinity;
    await eventually(4, async () => {
      const times: number[] = [];
      const started = performance.now();
      const timer = server.runEvery(100, () => times.push(performance.now() - started));
      await until(() => timer.runs >= 10);
      timer.cancel();
      for (const [index, time] of times.entries()) earliest = Math.min(earliest, time - (index + 1) * 100);
      expect(times[9]).toBeLessThanOrEqual(1005);
    });
    expect(earliest).toBeGreaterThanOrEqual(0); // in every attempt
  });

  it('T1: a slow function does not move the deadlines that follow', async () => {
    const { server } = await serve({ loops });
    await eventually(4, async () => {
      const late: number[] = [];
      const started = performance.now();
      const timer = server.runEvery(50, () => {
        late.push((performance.now() - started) % 50);
        block(20);
      });
      await until(() => timer.runs >= 11);
      timer.cancel();
      // Counted from the end of the run before, these would be 20, 40, 10, 30, 0, 20…
      expect(late.sort((left, right) => left - right)[5]).toBeLessThan(8);
    });
  });

  it('T1: runAfter runs once, not early', async () => {
    const { server } = await serve({ loops });
    for (const ms of [1, 2, 10, 63, 64, 65, 200]) {
      const started = performance.now();
      let took = 0;
      const timer = server.runAfter(ms, () => (took = performance.now() - started));
      await until(() => timer.runs === 1);
      expect(took).toBeGreaterThanOrEqual(ms);
      expect(timer.active).toBe(false);
    }
    let runs = 0;
    server.runAfter(5, () => runs++);
    const clock = server.runEvery(5, () => undefined);
    await until(() => clock.runs >= 10);
    expect(runs).toBe(1);
  });

  it('T1: of many timers of many delays each runs once, and none early', async () => {
    const { server } = await serve({ loops });
    const early: number[] = [];
    const timers = Array.from({ length: 1000 }, (_, index) => {
      const delay = 1 + ((index * 7919) % 300);
      const due = performance.now() + delay;
      return server.runAfter(delay, () => early.push(Math.max(0, due - performance.now())));
    });
    await until(() => timers.every(({ active }) => !active));
    await settled(() => early.length, 50);
    expect(early).toEqual(timers.map(() => 0));
    expect(timers.every(({ runs }) => runs === 1)).toBe(true);
  });

  it('T2: a tick is skipped and counted while the previous run is still going', async () => {
    const { server } = await serve({ loops });
    let finish: () => void = () => undefined;
    let concurrent = 0;
    let most = 0;
    const slow = server.runEvery(10, async () => {
      most = Math.max(most, ++concurrent);
      await new Promise<void>((resolve) => (finish = resolve));
      concurrent--;
    });
    const clock = server.runEvery(10, () => undefined);
    await until(() => slow.runs === 1);
    const ticks = clock.runs + clock.skipped;
    await until(() => clock.runs + clock.skipped >= ticks + 10);
    expect(slow.runs).toBe(1);
    finish();
    await until(() => slow.runs >= 2);
    expect(slow.skipped).toBeGreaterThanOrEqual(9);
    expect(most).toBe(1);
    slow.cancel();
    finish();
  });

  it('T2: ticks overlap when asked', async () => {
    const { server } = await serve({ loops });
    let concurrent = 0;
    const timer = server.runEvery(
      10,
      () => {
        concurrent++;
        return new Promise(() => undefined);
      },
      { overlap: true },
    );
    await until(() => concurrent >= 4);
    expect(timer.runs).toBe(concurrent);
  });

  it('T2: skipped ticks and runs together are all the ticks there were', async () => {
    const { server } = await serve({ loops });
    const most: number[] = [];
    await eventually(4, async () => {
      const started = performance.now();
      const timer = server.runEvery(10, () => pause(25));
      await until(() => timer.runs >= 8);
      const ticks = timer.runs + timer.skipped;
      const elapsed = performance.now() - started;
      timer.cancel();
      expect(timer.skipped).toBeGreaterThan(0);
      most.push(ticks * 10 - elapsed);
      expect(ticks * 10).toBeGreaterThan(elapsed - 100);
    });
    expect(Math.max(...most)).toBeLessThanOrEqual(0); // in every attempt
  });

  it('T3: a handle and an AbortSignal cancel, at any moment', async () => {
    const { server } = await serve({ loops });
    const abort = new AbortController();
    const runs = { handle: 0, signal: 0, self: 0, never: 0 };
    const byHandle = server.runEvery(5, () => runs.handle++);
    const bySignal = server.runEvery(5, () => runs.signal++, { signal: abort.signal });
    const bySelf = server.runEvery(5, () => {
      runs.self++;
      bySelf.cancel();
    });
    server.runAfter(5, () => runs.never++, { signal: AbortSignal.abort() });
    server.runAfter(5, () => runs.never++).cancel();
    await until(() => runs.handle >= 2 && runs.signal >= 2 && runs.self === 1);
    byHandle.cancel();
    byHandle.cancel();
    abort.abort();
    const after = { ...runs };
    const clock = server.runEvery(5, () => undefined);
    await until(() => clock.runs >= 10);
    expect(runs).toEqual(after);
    expect(runs).toMatchObject({ self: 1, never: 0 });
    expect([byHandle, bySignal, bySelf].map(({ active }) => active)).toEqual([false, false, false]);
  });

  it('T3: timers set before listen begin at listen', async () => {
    const server = new GevServer(options);
    const runs: number[] = [];
    const once = server.runAfter(50, () => runs.push(performance.now()));
    const every = server.runEvery(50, () => undefined);
    expect(await settled(() => once.runs + every.runs, 120)).toBe(0);
    const started = performance.now();
    await listen(server);
    await until(() => once.runs === 1 && every.runs > 1);
    expect(runs[0]! - started).toBeGreaterThanOrEqual(50);
  });

  it('T3: none fires after stop, and those set then wait for the next listen', async () => {
    const server = new GevServer(options);
    await listen(server);
    let runs = 0;
    const timers = [server.runEvery(1, () => runs++), server.runAfter(30, () => (runs += 1000))];
    await until(() => runs > 3);
    const closing = server.close();
    const atClose = runs;
    await closing;
    let later = 0;
    const next = server.runAfter(1, () => later++);
    expect(await settled(() => runs, 60)).toBe(atClose);
    expect(timers.map(({ active }) => active)).toEqual([false, false]);
    expect([later, next.active]).toEqual([0, true]);
    await listen(server);
    await until(() => later === 1);
    expect(runs).toBe(atClose);
  });

  it('T3: decorated timers are in the registry by name, can be cancelled there, and end with the application', async () => {
    const runs = { tick: 0, named: 0, once: 0, added: 0 };
    @Injectable()
    class Clocks {
      @RunEvery(5)
      tick(): void {
        runs.tick++;
      }
      @RunEvery({ every: 5, name: 'named' })
      named(): void {
        runs.named++;
      }
      @RunAfter(5)
      once(): void {
        runs.once++;
      }
    }
    @Module({ imports: [GevModule.forRoot(options)], providers: [Clocks] })
    class AppModule {}
    const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
      inject: [GevServer],
      useFactory: (server: GevServer) => ({ strategy: server }),
      logger: false,
    });
    onCleanup(() => app.close());
    await app.init();
    const registry = app.get(GevTimerRegistry);
    expect(registry.names()).toEqual(['Clocks.tick', 'named', 'Clocks.once']);
    expect(runs).toEqual({ tick: 0, named: 0, once: 0, added: 0 });
    await app.listen();
    registry.add(
      'added',
      app.get(GevServer).runEvery(5, () => runs.added++),
    );
    await until(() => runs.tick > 1 && runs.named > 1 && runs.once === 1 && runs.added > 1);
    expect(registry.names()).toEqual(['Clocks.tick', 'named', 'added']);
    expect(registry.get('named')!.runs).toBe(runs.named);

    expect(registry.delete('named')).toBe(true);
    expect(registry.delete('named')).toBe(false);
    const cancelled = runs.named;
    const ticks = runs.tick;
    await until(() => runs.tick > ticks + 5);
    expect(runs.named).toBe(cancelled);

    await app.close();
    const after = { ...runs };
    await settled(() => runs.tick + runs.added, 50);
    expect(runs).toEqual(after);
    expect(registry.names()).toEqual([]);
  });

  it('T4: bad intervals are refused, and nothing runs', async () => {
    const { server } = await serve({ loops });
    let runs = 0;
    for (const ms of BAD_INTERVALS) {
      for (const set of ['runEvery', 'runAfter'] as const) {
        expect(() => server[set](ms, () => runs++)).toThrow(GevTimerError);
      }
    }
    expect(await settled(() => runs, 20)).toBe(0);
    server.runEvery(2 ** 31 - 1, () => undefined).cancel();
  });

  it('C6: a timer that throws or rejects is logged by its name, and goes on', async () => {
    const { server, lines } = await serve({ loops });
    const thrown = server.runEvery(
      5,
      () => {
        throw new Error('thrown');
      },
      { name: 'first' },
    );
    const rejected = server.runEvery(5, () => Promise.reject(new Error('rejected')), { name: 'second' });
    await until(() => thrown.runs > 2 && rejected.runs > 2);
    expect(lines.slice(0, 2)).toEqual(['Timer "first" failed: thrown', 'Timer "second" failed: rejected']);
  });
});

it.each(BAD_INTERVALS.filter((ms) => ms !== null))(
  'T4: @RunEvery(%p) and @RunAfter(%p) are refused',
  (ms) => {
    const refusal = expect.objectContaining({ name: 'GevTimerError', code: 'ERR_GEV_INVALID_INTERVAL' });
    for (const decorate of [
      () => RunEvery(ms),
      () => RunAfter(ms),
      () => RunEvery({ every: ms }),
      () => RunAfter({ after: ms }),
    ]) {
      expect(decorate).toThrow(refusal);
    }
  },
);
