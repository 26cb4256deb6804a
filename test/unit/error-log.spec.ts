import { expect, it, jest } from '@jest/globals';
import { ErrorLog } from '../../src/core/error-log.js';
import { onCleanup } from '../kit/cleanup.js';

it('N6: of many kinds at once each has a line, up to a bound, and all are counted', () => {
  jest.useFakeTimers();
  onCleanup(() => jest.useRealTimers());
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const log = new ErrorLog({ log: write, warn: write, error: write });
  for (let kind = 0; kind < 10_000; kind++) log.report(`kind ${kind}`, 'error', `line ${kind}`);
  expect(lines).toHaveLength(257);
  jest.advanceTimersByTime(1_000);
  expect(lines.slice(257)).toEqual(['line 9999 (9743 of this kind within the last second)']);
});
