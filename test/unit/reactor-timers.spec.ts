import { describe, expect, it } from '@jest/globals';
import { ReactorTimers } from '../../src/core/reactor-timers.js';
import type { Outbound } from '../../src/engine/native/outbound.js';

function make() {
  const started: number[] = [];
  const outbound = { startTimer: (id: number) => void started.push(id), command() {} };
  const errors: unknown[] = [];
  const timers = new ReactorTimers(outbound as unknown as Outbound, (error) => void errors.push(error));
  return { timers, started, errors };
}

describe('the timers of a reactor', () => {
  it('M5: ids begin anew after 2³¹ − 1, and none is given twice while its timer lives', () => {
    const { timers, started } = make();
    let ticks = 0;
    const keep = timers.start(1, 1, false, () => ticks++);
    Object.assign(timers, { lastId: 2 ** 31 - 2 });
    for (let index = 0; index < 3; index++) timers.start(1, 0, false, () => undefined);
    expect(started).toEqual([1, 2 ** 31 - 1, 2, 3]);
    timers.onTick(1, 0);
    expect([ticks, keep.runs]).toEqual([1, 1]);
  });

  it('M5: one that has run, or was cancelled, is forgotten', () => {
    const { timers } = make();
    for (let index = 0; index < 1000; index++) timers.start(1, 0, false, () => undefined).cancel();
    timers.start(1, 0, false, () => undefined);
    timers.onTick(1001, 0);
    expect((timers as unknown as { timers: Map<number, unknown> }).timers.size).toBe(0);
  });
});
