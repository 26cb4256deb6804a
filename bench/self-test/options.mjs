import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { run } from './generator.mjs';

describe('gev_load', () => {
  it('refuses options it does not know, other hosts than this one, and a core it is not pinned to', async () => {
    assert.match((await run({ port: 1, sise: 3 })).stderr, /--sise is not an option/);
    assert.match((await run({ port: 1, size: '3x' })).stderr, /--size: '3x'/);
    assert.match((await run({ port: 1, host: '192.0.2.1' })).stderr, /not a loopback address/);
    assert.match((await run({ port: 1, cpu: 4000 })).stderr, /not pinned to core 4000/);
  });
});
