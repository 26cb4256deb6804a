import { expect, it } from '@jest/globals';
import { ConnectionAges } from '../../src/server/connections/connection-ages.js';
import { FakeClock } from './support/fake-clock.js';

class Owner {
  readonly told: string[] = [];
  onAge(): void {
    this.told.push('age');
  }
  onLate(): void {
    this.told.push('late');
  }
  onVeryLate(): void {
    this.told.push('very late');
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
  // Deadlines are swept together, so each of the three is noticed up to 10 ms late.
  clock.advance(445);
  expect(owner.told).toEqual(['age']);
  clock.advance(15);
  expect(owner.told).toEqual(['age', 'late']);
  clock.advance(35);
  expect(owner.told).toEqual(['age', 'late', 'very late']);
  clock.advance(35);
  expect(owner.told).toEqual(['age', 'late', 'very late', 'overage']);
  expect(clock.timerCount).toBe(0);
});

it('D2: without time to go a connection ends with its age', () => {
  const clock = new FakeClock();
  const ages = new ConnectionAges(1_000, 0, clock);
  const owner = new Owner();
  ages.watch(owner);
  clock.advance(1_200);
  expect(owner.told).toEqual(['overage']);
  expect(clock.timerCount).toBe(0);
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
