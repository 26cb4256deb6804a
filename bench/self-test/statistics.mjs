import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate, judge, median, verdict } from '../runner/statistics.mjs';
import { formatTable } from '../runner/table.mjs';

describe('statistics', () => {
  const samples = {
    ours: [{ rate: 20 }, { rate: 90 }, { rate: 30 }],
    theirs: [{ rate: 10 }, { rate: 30 }, { rate: 10 }],
  };

  it('takes the middle value', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
  });

  it('divides round by round before it takes the median', () => {
    const ratio = evaluate(samples, { contender: 'ours', metric: 'rate', over: 'theirs' });
    assert.deepEqual(ratio, { median: 3, lowest: 2, highest: 3 });
  });

  it('judges a target, and leaves open what was not measured', () => {
    const target = { title: '', contender: 'ours', metric: 'rate', over: 'theirs' };
    assert.equal(judge(samples, { ...target, atLeast: 3 }).met, true);
    assert.equal(judge(samples, { ...target, atMost: 2.9 }).met, false);
    assert.equal(judge(samples, { ...target, contender: 'absent', atLeast: 1 }).met, null);
  });

  it('tells a target that is met from one that is met by the median only', () => {
    const target = { title: '', contender: 'ours', metric: 'rate', over: 'theirs' };
    assert.equal(verdict(judge(samples, { ...target, atLeast: 2 })), 'met');
    assert.equal(verdict(judge(samples, { ...target, atLeast: 3 })), 'met by the median only');
    assert.equal(verdict(judge(samples, { ...target, atLeast: 4 })), 'NOT MET');
  });

  it('judges the best of several contenders', () => {
    const target = { title: '', contender: ['absent', 'theirs', 'ours'], metric: 'rate' };
    assert.equal(judge(samples, { ...target, atLeast: 20 }).measured.median, 30);
    assert.equal(judge(samples, { ...target, atMost: 20 }).measured.median, 10);
  });

  it('lines up a table', () => {
    assert.deepEqual(
      formatTable(
        ['', 'n'],
        [
          ['a', '10'],
          ['bb', '9'],
        ],
      ),
      ['     n', '--  --', 'a   10', 'bb   9'],
    );
  });
});
