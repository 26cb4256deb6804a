import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import { Turns } from '../../src/server/admission/turns.js';
import { type LineOwner, WaitingLine } from '../../src/server/admission/waiting-line.js';

function make(start: (message: string) => void) {
  const told: string[] = [];
  const owner: LineOwner<string> & { room: number } = {
    room: 0,
    connection: { congested: false, drain$: NEVER },
    receives: true,
    hasRoom: () => owner.room > 0,
    start(message) {
      owner.room--;
      start(message);
    },
    onDropped: (count) => told.push(`dropped ${count}`),
    pauseReading: () => told.push('pause'),
    resumeReading: () => told.push('resume'),
    overfill: () => undefined,
  };
  const line = new WaitingLine(owner, new Turns((error) => told.push(String(error))), 1_000_000);
  return { owner, line, told };
}

describe('messages that wait', () => {
  it('U1: a start that throws keeps nobody behind it from starting, nor from being read', () => {
    const started: string[] = [];
    const { owner, line, told } = make((message) => {
      started.push(message);
      if (message === '0') throw new Error('the first fails');
    });
    for (let index = 0; index < 1026; index++) line.push(String(index));
    expect(told).toEqual(['pause']);
    owner.room = Infinity;
    expect(() => line.takeTurn()).toThrow('the first fails');
    line.startAll();
    expect([started.length, line.length]).toEqual([1026, 0]);
    expect(told).toEqual(['pause', 'resume']);
    owner.room = 0;
    line.push('again');
    owner.room = 1;
    line.goOn();
    expect(started.at(-1)).toBe('again');
  });

  it('C2: what nobody wants any more is dropped, and counted', () => {
    const { owner, line, told } = make(() => undefined);
    line.push('a');
    line.push('b');
    Object.assign(owner, { receives: false, room: 1 });
    expect(line.takeTurn()).toBe(false);
    expect(told).toEqual(['dropped 2']);
  });
});
