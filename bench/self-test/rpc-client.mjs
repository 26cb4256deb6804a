import assert from 'node:assert/strict';
import process from 'node:process';
import { describe, it } from 'node:test';
import { clientScript } from '../runner/paths.mjs';
import { run } from './generator.mjs';
import { frame, honest, onceAfter, withSumServer } from './sum-server.mjs';

const generator = { command: [process.execPath, clientScript('rpc-client.mjs')], env: { CLIENT: 'tcp' } };

const load = (harm) =>
  withSumServer(harm, (port) => run({ port, depth: 8, 'warm-up': 0.05, seconds: 1 }, generator));

describe('rpc-client', () => {
  it('accepts honest results, and counts them', async () => {
    const { code, report } = await load(honest);
    assert.equal(code, 0, report.error);
    assert.equal(report.errors, 0);
    assert.ok(report.messages > 100);
    assert.ok(report.seconds > 0.4 && report.clientCpuMicros > 0);
    assert.ok(report.p50Micros > 0 && report.p50Micros <= report.p99Micros);
  });

  for (const [what, error, harm] of [
    ['a wrong sum', /wrong response/, (reply) => frame({ ...reply, response: reply.response + 1 })],
    ['an error', /a call failed: "broken"/, ({ id }) => frame({ id, err: 'broken', isDisposed: true })],
    ['a call without a result', /0 results of one call/, ({ id }) => frame({ id, isDisposed: true })],
    ['a second result', /2 results/, (reply) => frame({ ...reply, isDisposed: false }) + frame(reply)],
    ['a call that is never answered', /1 calls were never answered/, () => ''],
  ]) {
    it(`notices ${what}`, async () => {
      const { code, report } = await load(onceAfter(20, harm));
      assert.equal(code, 1);
      assert.match(report.error, error);
    });
  }
});
