import { beforeEach, describe, expect, it } from '@jest/globals';
import { Probe } from '../../src/client/calls/probe.js';
import { FakeClock } from './support/fake-clock.js';

describe('a connection on which requests time out', () => {
  let clock: FakeClock;
  let received: number;
  let log: string[];
  let probe: Probe;
  beforeEach(() => {
    clock = new FakeClock();
    received = 100;
    log = [];
    probe = new Probe(
      {
        received: () => received,
        ask: () => log.push('asked'), // its length: 1, 2, … as id
        onSilent: () => log.push('silent'),
      },
      clock,
    );
  });

  it('K2: is probed after two timeouts with nothing received, and given up 5 s later without an answer', () => {
    probe.timedOut();
    expect(log).toEqual([]);
    probe.timedOut();
    expect(log).toEqual(['asked']);
    expect(probe.pending).toBe(true);
    probe.timedOut();
    clock.advance(4_999);
    expect(log).toEqual(['asked']);
    clock.advance(1);
    expect(log).toEqual(['asked', 'silent']);
    expect(clock.timerCount).toBe(0);
  });

  it('K2: is not probed while anything is received between the timeouts', () => {
    for (let timeout = 0; timeout < 10; timeout++) {
      probe.timedOut();
      received++;
    }
    expect(log).toEqual([]);
  });

  it('K2: stays when the probe is answered, and may be probed again', () => {
    probe.timedOut();
    probe.timedOut();
    expect(probe.receive(7)).toBe(false);
    expect(probe.receive(1)).toBe(true);
    expect(probe.pending).toBe(false);
    expect(clock.timerCount).toBe(0);
    probe.timedOut();
    expect(log).toEqual(['asked']);
    probe.timedOut();
    expect(log).toEqual(['asked', 'asked']);
  });

  it('K2: stays when something else comes instead of an answer', () => {
    probe.timedOut();
    probe.timedOut();
    received++;
    expect(probe.pending).toBe(false);
    clock.advance(5_000);
    expect(log).toEqual(['asked']);
  });

  it('K2: that has ended is not given up any more', () => {
    probe.timedOut();
    probe.timedOut();
    probe.stop();
    clock.advance(5_000);
    expect(log).toEqual(['asked']);
  });
});
