import { expect, it } from '@jest/globals';
import { Child, QUIET } from '../kit/child.js';

it('X3: a thousand users at once see nobody but themselves, with nestjs-cls and OpenTelemetry, too', async () => {
  const child = Child.start([QUIET, 'test/nodes/isolation.mjs']);
  const { code } = await child.exit();
  const failures = [...child.lines.filter((line) => !line.startsWith('ok ')), ...child.errors];
  expect(failures).toEqual([]);
  expect(code).toBe(0);
  expect(child.lines).toHaveLength(42);
});
