import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate, geometricMean, judge, median, ratioInterval, verdict } from '../runner/statistics.mjs';
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

  it('gives ratios their geometric mean and the interval of Student', () => {
    const { ratio, low, high } = ratioInterval([1, 2, 4]);
    assert.ok(Math.abs(ratio - 2) < 1e-12);
    assert.ok(Math.abs(high - 2 * Math.exp((4.303 * Math.log(2)) / Math.sqrt(3))) < 1e-9);
    assert.ok(Math.abs(low * high - 4) < 1e-9, 'symmetric on the logarithmic scale');
    assert.ok(Math.abs(geometricMean([1, 2, 4]) - 2) < 1e-12);
  });

  it('knows the quantiles of Student to a hundredth', () => {
    for (const [count, quantile] of [
      [2, 12.706],
      [3, 4.303],
      [4, 3.182],
      [6, 2.571],
      [20, 2.093],
      [101, 1.984],
    ]) {
      const logs = Array.from(
        { length: count },
        (_, index) => (index % 2 ? 1 : -1) * (count % 2 && !index ? 0 : 1),
      );
      const mean = logs.reduce((sum, log) => sum + log, 0) / count;
      const error = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (count - 1) / count);
      const { ratio, high } = ratioInterval(logs.map(Math.exp));
      assert.ok(Math.abs(Math.log(high / ratio) / error / quantile - 1) < 0.01, `${count} values`);
    }
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
