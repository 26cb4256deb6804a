import { beforeEach, describe, expect, it } from '@jest/globals';
import { Cancellation } from '../../src/client/calls/cancellation.js';

describe('cancellation', () => {
  let sent: number[];
  beforeEach(() => {
    sent = [];
  });

  function create(supported?: boolean): Cancellation {
    return new Cancellation(supported, (id) => sent.push(id));
  }

  it('L3: tells a server that can be told', () => {
    const cancellation = create(true);
    cancellation.cancel(1);
    cancellation.cancel(2);
    expect(sent).toEqual([1, 2]);
    expect(cancellation.settled()).toBeUndefined();
  });

  it('L3: holds back what is given up before that is known', async () => {
    const cancellation = create();
    cancellation.cancel(1);
    cancellation.cancel(2);
    expect(sent).toEqual([]);
    const settled = cancellation.settled();
    cancellation.answered(true);
    cancellation.cancel(3);
    expect(sent).toEqual([1, 2, 3]);
    await settled;
  });

  it('L3: leaves others alone for good', async () => {
    const cancellation = create();
    cancellation.cancel(1);
    const settled = cancellation.settled();
    cancellation.answered(false);
    cancellation.cancel(2);
    expect(sent).toEqual([]);
    await settled;
  });

  it('L3: does not tell of a request that the server was done with meanwhile', async () => {
    const cancellation = create();
    for (const id of [1, 2, 3]) cancellation.cancel(id);
    cancellation.done(1);
    cancellation.done(3);
    cancellation.answered(true);
    expect(sent).toEqual([2]);
  });

  it('L3: has nothing left to tell when the server is done with all of it', async () => {
    const cancellation = create();
    cancellation.cancel(1);
    const settled = cancellation.settled();
    cancellation.done(1);
    await settled;
    expect(cancellation.settled()).toBeUndefined();
  });

  it('holds so many requests and no more while there is no answer', () => {
    const cancellation = create();
    for (let id = 100; id < 5_000; id++) cancellation.cancel(id);
    cancellation.answered(true);
    expect(sent).toHaveLength(1024);
  });
});
