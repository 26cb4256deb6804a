import { beforeEach, describe, expect, it } from '@jest/globals';
import { type DeadlineQueue, Deadlines, type Timed } from '../../src/core/deadlines.js';
import { FakeClock } from './support/fake-clock.js';

class Item implements Timed<Item> {
  deadline = 0;
  queue: DeadlineQueue<Item> | undefined;
  earlier: Item | undefined;
  later: Item | undefined;
  constructor(readonly name: string) {}
}

describe('deadlines', () => {
  let clock: FakeClock;
  let expired: string[];
  let deadlines: Deadlines<Item>;
  beforeEach(() => {
    clock = new FakeClock();
    expired = [];
    deadlines = new Deadlines<Item>(clock, ({ name }) => expired.push(name));
  });
  const add = (name: string, ms: number): Item => {
    const item = new Item(name);
    deadlines.add(item, ms);
    return item;
  };

  it('expire in order, a grain late at most and never early', () => {
    add('a', 100);
    clock.advance(5);
    add('b', 100);
    add('c', 20);
    clock.advance(19);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual(['c']);
    clock.advance(75);
    expect(expired).toEqual(['c', 'a']);
    clock.advance(10);
    expect(expired).toEqual(['c', 'a', 'b']);
    expect(clock.timerCount).toBe(0);
  });

  it('that were removed do not expire, wherever in the list they stood', () => {
    const items = ['a', 'b', 'c', 'd', 'e'].map((name) => add(name, 50));
    for (const index of [2, 0, 4]) deadlines.remove(items[index]!);
    deadlines.remove(items[2]!);
    clock.advance(60);
    expect(expired).toEqual(['b', 'd']);
  });

  it('cost one timer, and none when nothing is left', () => {
    for (let i = 0; i < 1_000; i++) add(String(i), 1 + (i % 7));
    expect(clock.timerCount).toBe(1);
    clock.advance(100);
    expect(expired).toHaveLength(1_000);
    expect(clock.timerCount).toBe(0);
    deadlines.remove(add('gone', 5));
    clock.advance(5);
    expect(clock.timerCount).toBe(0);
  });

  it('may be added and removed while others expire', () => {
    const doomed = new Item('doomed');
    deadlines = new Deadlines<Item>(clock, ({ name }) => {
      expired.push(name);
      deadlines.remove(doomed);
      if (name === 'first') add('again', 50);
    });
    add('first', 50);
    deadlines.add(doomed, 50);
    clock.advance(50);
    expect(expired).toEqual(['first']);
    clock.advance(60);
    expect(expired).toEqual(['first', 'again']);
  });

  it('of 0 ms are none', () => {
    add('for ever', 0);
    expect(clock.timerCount).toBe(0);
  });
});
