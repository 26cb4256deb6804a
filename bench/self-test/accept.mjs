import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { honest, loadEcho } from './echo-server.mjs';

describe('gev_load, accept', () => {
  it('counts dialled connections when their byte has come back', async () => {
    const { code, report } = await loadEcho(honest, { mode: 'accept', connections: 300, seconds: 10 });
    assert.equal(code, 0);
    assert.deepEqual([report.served, report.failed, report.timedOut], [300, 0, 0]);
  });

  it('counts those that are refused and those that are never served', async () => {
    const refused = await loadEcho((chunk, _position, socket) => socket.resetAndDestroy() && chunk, {
      mode: 'accept',
      connections: 50,
    });
    assert.deepEqual([refused.report.served, refused.report.failed], [0, 50]);
    const silent = await loadEcho(() => Buffer.alloc(0), { mode: 'accept', connections: 50, seconds: 0.3 });
    assert.deepEqual([silent.report.served, silent.report.timedOut], [0, 50]);
  });
});
