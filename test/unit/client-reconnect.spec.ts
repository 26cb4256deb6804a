import { beforeEach, describe, expect, it } from '@jest/globals';
import type { GevReconnectOptions } from '../../src/client/gev.client.options.js';
import { Reconnect } from '../../src/client/pool/reconnect.js';
import { FakeClock } from './support/fake-clock.js';

const options = { initialDelay: 100, maxDelay: 1_000, factor: 2, jitter: 0.5 };

describe('reconnecting', () => {
  let clock: FakeClock;
  beforeEach(() => {
    clock = new FakeClock();
  });
  const reconnect = (changes: GevReconnectOptions = {}): Reconnect =>
    new Reconnect({ ...options, ...changes }, clock);

  /** The delays of attempts that all fail. */
  const delays = (plan: Reconnect, count: number): (number | undefined)[] =>
    Array.from({ length: count }, () => {
      const delay = plan.schedule(() => plan.began());
      clock.advance(delay!);
      return delay;
    });

  it('L2: the delay grows by the factor up to the most', () => {
    expect(delays(reconnect(), 6)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(delays(reconnect({ factor: 1 }), 3)).toEqual([100, 100, 100]);
  });

  it('L2: chance takes up to the jitter share off the delay', () => {
    clock.chance = 1 - Number.EPSILON;
    expect(delays(reconnect(), 3)).toEqual([50, 100, 200]);
    expect(delays(reconnect({ jitter: 0 }), 2)).toEqual([100, 200]);
    clock.chance = 0.5;
    expect(delays(reconnect({ jitter: 1 }), 2)).toEqual([50, 100]);
  });

  it('an attempt is scheduled once, and not while another is', () => {
    const plan = reconnect();
    let attempts = 0;
    expect(plan.schedule(() => attempts++)).toBe(100);
    expect(plan.schedule(() => attempts++)).toBeUndefined();
    expect(plan.scheduled).toBe(true);
    clock.advance(99);
    expect(attempts).toBe(0);
    clock.advance(1);
    expect(attempts).toBe(1);
    expect(plan.scheduled).toBe(false);
  });

  it('an attempt that begins earlier takes its place', () => {
    const plan = reconnect();
    let attempts = 0;
    plan.schedule(() => attempts++);
    plan.began();
    clock.advance(1_000);
    expect(attempts).toBe(0);
  });

  /** How long a request waits for its attempt. */
  const waitOf = (plan: Reconnect): number => {
    const asked = clock.now();
    let begun = -1;
    plan.hasten(() => {
      begun = clock.now();
      plan.began();
    });
    clock.advance(100);
    return begun - asked;
  };

  it('K3: a request starts an attempt at once, or 100 ms after the last began, whatever the back-off', () => {
    const plan = reconnect({ initialDelay: 60_000, maxDelay: 60_000 });
    expect(waitOf(plan)).toBe(0);
    clock.advance(1_000);
    plan.began();
    clock.advance(30);
    expect(waitOf(plan)).toBe(70);
    expect(plan.hastened).toBe(false);
  });

  it('K3: the first request after a loss starts one at once, unless the connection did not last', () => {
    const plan = reconnect();
    plan.began();
    plan.connected();
    clock.advance(500);
    plan.lost();
    plan.began();
    expect(waitOf(plan)).toBe(0);
    plan.connected();
    plan.began();
    plan.lost();
    expect(waitOf(plan)).toBe(100);
  });

  it('L2: the delay starts over after a connection that lasted, but not after one that did not', () => {
    const plan = reconnect();
    delays(plan, 3);
    plan.connected();
    clock.advance(400);
    plan.lost();
    expect(delays(plan, 1)).toEqual([800]);
    plan.connected();
    clock.advance(801);
    plan.lost();
    expect(delays(plan, 2)).toEqual([100, 200]);
  });

  it('that is switched off schedules nothing, and lets requests try', () => {
    const plan = new Reconnect(false, clock);
    expect(plan.schedule(() => undefined)).toBeUndefined();
    expect(clock.timerCount).toBe(0);
    plan.began();
    expect(waitOf(plan)).toBe(100);
  });

  it('D1: a server that asks each new connection to end is dialled ever less often, until one has lasted', () => {
    const plan = reconnect({ initialDelay: 1 });
    const round = (connections: number, lasts: number): number => {
      const asked = clock.now();
      let begun = false;
      plan.hasten(() => {
        begun = true;
        plan.began();
      });
      while (!begun) clock.advance(1);
      const wait = clock.now() - asked;
      plan.connected();
      const since = clock.now();
      clock.advance(lasts);
      for (let index = 0; index < connections; index++) {
        plan.lost();
        plan.departed(since);
      }
      return wait;
    };
    expect(round(1, 5)).toBe(0);
    expect(round(2, 5)).toBe(195); // of the same attempt one counts
    expect(round(1, 0)).toBe(395);
    expect(round(1, 0)).toBe(800);
    expect(round(1, 2_001)).toBe(1_000);
    expect(round(1, 0)).toBe(0);
  });
});
