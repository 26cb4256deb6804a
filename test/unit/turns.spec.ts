import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Turns, type TurnTaker } from '../../src/server/admission/turns.js';
import { block } from '../kit/until.js';

/** Those who wait, and the order in which they had their turns. */
function make() {
  const turns = new Turns((error) => {
    throw error;
  });
  const order: string[] = [];
  const taker = (name: string, length: number): TurnTaker => {
    const owner = {
      length,
      takeTurn() {
        order.push(name);
        return --owner.length > 0;
      },
    };
    return owner;
  };
  return { turns, order, taker };
}

async function untilIdle(turns: Turns): Promise<void> {
  while (!turns.idle) await turn();
}

describe('turns', () => {
  it('F3: one who was not waiting has his turn before those who have had one', async () => {
    const { turns, order, taker } = make();
    for (let index = 0; index < 50; index++) turns.join(taker('busy', 50), true);
    while (order.length < 100) await turn();
    for (let round = 0; round < 5; round++) {
      const before = order.length;
      turns.join(taker('seldom', 1), true);
      while (!order.includes('seldom', before)) await turn();
      expect(order.indexOf('seldom', before) - before).toBeLessThan(2);
    }
    await untilIdle(turns);
    expect(order).toHaveLength(50 * 50 + 5);
  });

  it('F3: one who has one message waiting has his turn before those who have many', async () => {
    const { turns, order, taker } = make();
    for (let index = 0; index < 50; index++) turns.join(taker('busy', 50), true);
    turns.join(taker('seldom', 1), true);
    await untilIdle(turns);
    expect(order.indexOf('seldom')).toBeLessThan(2);
  });

  it('F3: those who wait have a share of the turns, however many come', async () => {
    const { turns, order, taker } = make();
    turns.join(taker('busy', 100), true);
    for (let index = 0; index < 1_000; index++) turns.join(taker('new', 1), true);
    await untilIdle(turns);
    const last = order.lastIndexOf('busy');
    expect(last).toBeGreaterThan(300);
    expect(last).toBeLessThan(450);
  });

  it('F3: among those who wait each has as many turns as the others', async () => {
    const { turns, order, taker } = make();
    for (const name of ['a', 'b', 'c']) turns.join(taker(name, 5), true);
    await untilIdle(turns);
    expect(order.join('')).toBe('abc'.repeat(5));
  });

  it('F2: quick handlers do not make a turn of slow ones longer', async () => {
    const { turns, order, taker } = make();
    for (let index = 0; index < 2_000; index++) turns.join(taker('quick', 1), true);
    await untilIdle(turns);
    let slow = 0;
    const work = (): void => {
      slow++;
      block(3);
    };
    for (let index = 0; index < 20; index++) {
      const { takeTurn } = taker('slow', 10);
      turns.join({ length: 2, takeTurn: () => (queueMicrotask(work), takeTurn()) }, true);
    }
    const perTurn: number[] = [];
    while (!turns.idle) {
      const before = slow;
      turns.join(taker('quick', 1), true);
      turns.beginEvents(0.05);
      turns.endEvents();
      await turn();
      if (slow > before) perTurn.push(slow - before);
    }
    expect(slow).toBe(200);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(4);
    expect(order.filter((name) => name === 'quick').length).toBeGreaterThanOrEqual(2_000 + perTurn.length);
  });
});
