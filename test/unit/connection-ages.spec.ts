import { expect, it } from '@jest/globals';
import { ConnectionAges } from '../../src/server/connection-ages.js';
import { FakeClock } from './support/fake-clock.js';

class Owner {
  readonly told: string[] = [];
  onAge(): void {
    this.told.push('age');
  }
  onOverage(): void {
    this.told.push('overage');
  }
}

it.each([
  [0, 900],
  [0.5, 1_003],
  [0.999, 1_100],
])('D2: an age of 1,000 ms is between 900 and 1,100 (chance %f: %i)', (chance, ms) => {
  const clock = new FakeClock();
  clock.chance = chance;
  const ages = new ConnectionAges(1_000, 500, clock);
  const owner = new Owner();
  ages.watch(owner);
  clock.advance(ms - 1);
  expect(owner.told).toEqual([]);
  clock.advance(2);
  expect(owner.told).toEqual(['age']);
  clock.advance(495);
  expect(owner.told).toEqual(['age']);
  clock.advance(15);
  expect(owner.told).toEqual(['age', 'overage']);
});

it('D2: who has gone before is not told, and leaves nothing behind', () => {
  const clock = new FakeClock();
  const ages = new ConnectionAges(1_000, 500, clock);
  const owners = [new Owner(), new Owner()];
  owners.forEach((owner) => ages.watch(owner));
  ages.forget(owners[0]!);
  clock.advance(1_000);
  ages.forget(owners[1]!);
  ages.forget(owners[1]!);
  clock.advance(10_000);
  expect(owners.map(({ told }) => told)).toEqual([[], ['age']]);
  expect(clock.timerCount).toBe(0);
});
