import { beforeEach, describe, expect, it } from '@jest/globals';
import { Cancellation } from '../../src/client/cancellation.js';

const QUESTION = 99;

describe('cancellation', () => {
  let sent: (number | string)[];
  let cancellation: Cancellation;
  beforeEach(() => {
    sent = [];
    cancellation = new Cancellation({
      ask() {
        sent.push('ask');
        return QUESTION;
      },
      tell: (id) => sent.push(id),
    });
  });

  it('L3: asks the server once, with the first request that is given up', () => {
    cancellation.cancel(1);
    cancellation.cancel(2);
    expect(sent).toEqual(['ask']);
  });

  it('L3: tells a server that can be told, what was held back first', () => {
    cancellation.cancel(1);
    cancellation.cancel(2);
    expect(cancellation.receive(QUESTION, { cancel: 1 }, true)).toBe(true);
    cancellation.cancel(3);
    expect(sent).toEqual(['ask', 1, 2, 3]);
  });

  it('L3: leaves others alone for good', () => {
    cancellation.cancel(1);
    expect(cancellation.receive(QUESTION, undefined, true)).toBe(true);
    cancellation.cancel(2);
    expect(sent).toEqual(['ask']);
  });

  it.each([undefined, null, 5, {}, { cancel: 2 }])('takes the answer %p for a no', (response) => {
    cancellation.cancel(1);
    expect(cancellation.receive(QUESTION, response, true)).toBe(true);
    expect(sent).toEqual(['ask']);
  });

  it('L3: does not tell of a request that the server was done with meanwhile', () => {
    for (const id of [1, 2, 3]) cancellation.cancel(id);
    expect(cancellation.receive(1, 5, true)).toBe(false);
    expect(cancellation.receive(2, 5, false)).toBe(false);
    expect(cancellation.receive(3, undefined, true)).toBe(false);
    cancellation.receive(QUESTION, { cancel: 1 }, true);
    expect(sent).toEqual(['ask', 2]);
  });

  it('holds so many requests and no more while there is no answer', () => {
    for (let id = 100; id < 5_000; id++) cancellation.cancel(id);
    cancellation.receive(QUESTION, { cancel: 1 }, true);
    expect(sent).toHaveLength(1 + 1024);
  });
});
