import { expect, it } from '@jest/globals';
import { load } from '../load.js';
import { serve } from '../serve.js';
import { until } from '../until.js';

it('has a busy server and closes it', async () => {
  let messages = 0;
  const { port } = await serve(
    { loops: Number(process.env.LOOPS) },
    {
      message(data) {
        messages++;
        return data;
      },
    },
  );
  load(port);
  await until(() => messages > 300);
  expect(messages).toBeGreaterThan(300);
});
