import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { measurePairs } from '../compare/pairs.mjs';
import { buildThisTree, stage, unstage } from '../compare/revision.mjs';
import { formatDifference, judgeRows, summarisePairs } from '../compare/summary.mjs';
import { Child } from '../runner/children.mjs';
import { gevInline } from '../runner/contenders.mjs';
import { benchFolder, clientScript } from '../runner/paths.mjs';
import { resolveSettings } from '../runner/settings.mjs';
import { workload } from '../workloads/echo.mjs';
import { honest, loadEcho, withEchoServer } from './echo-server.mjs';
import { frame, onceAfter, withSumServer } from './sum-server.mjs';

const settings = { ...resolveSettings({}, workload), pairs: 4 };
const subject = { benchCase: workload.cases(settings)[0], contender: gevInline };

/** Compares this tree, as staged, with itself after `change` of a server's program. */
async function compareWithItself(name, change = (text) => text) {
  const [baseline, candidate] = ['old', 'new'].map((side) => stage(buildThisTree(), side));
  const script = join(candidate, 'bench', 'servers', 'nest-gev.mjs');
  writeFileSync(script, change(readFileSync(script, 'utf8')));
  const rows = summarisePairs(await measurePairs([subject], { baseline, candidate }, settings, () => {}));
  process.stdout.write(`# ${name}: ${formatDifference(rows[0].interval)}\n`);
  return rows;
}

describe('--compare', () => {
  after(unstage);

  it('finds no difference between a revision and itself', async () => {
    const [{ interval }] = await compareWithItself('the same twice');
    // One interval of twenty misses the truth, but not by much.
    assert.ok(interval.low < 1.02 && interval.high > 0.98, formatDifference(interval));
  });

  it('finds a handler that takes a few microseconds more', async () => {
    const slow = 'message(data) { for (let at = performance.now() + 0.01; performance.now() < at; );';
    const rows = await compareWithItself('10 µs more', (text) => text.replace('message(data) {', slow));
    assert.ok(rows[0].candidate - rows[0].baseline > 5, formatDifference(rows[0].interval));
    assert.ok(judgeRows(rows, 1.03).exceeded, formatDifference(rows[0].interval));
  });

  it('judges by the interval', () => {
    const row = (low, ratio, high) => ({ title: 'this', interval: { low, ratio, high } });
    const all = row(0.99, 1.012, 1.023);
    assert.deepEqual(judgeRows([all]), {
      exceeded: false,
      lines: ['≤ 3 % asked: +1.2 % (−1.0 to 2.3) · met'],
    });
    assert.match(judgeRows([all], 1.02).lines[0], /≤ 2 % asked: .* · not decided/);
    assert.match(judgeRows([row(1.05, 1.06, 1.07)]).lines[0], /· EXCEEDED/);
    const { exceeded, lines } = judgeRows([row(1.05, 1.06, 1.07), all]);
    assert.ok(exceeded);
    assert.match(lines[1], /EXCEEDED by this/);
  });

  it('refuses revisions that are none, and options that make no sense', () => {
    const bench = (...args) =>
      spawnSync(process.execPath, [join(benchFolder, 'run.mjs'), ...args], { encoding: 'utf8' });
    for (const [error, ...args] of [
      [/git knows no revision "no-such"/, 'echo', '--compare', 'no-such'],
      [/--save does not go with --compare/, 'echo', '--compare', 'HEAD', '--save'],
      [/--pairs needs --compare/, 'echo', '--pairs', '4'],
      [/--pairs: an even number/, 'echo', '--compare', 'HEAD', '--pairs', '5'],
      [/accept cannot be compared/, 'accept', '--compare', 'HEAD'],
    ]) {
      const { status, stderr } = bench(...args);
      assert.equal(status, 1);
      assert.match(stderr, error);
    }
  });
});

describe('rpc-client, in turn', () => {
  const inTurn = (harm, action) =>
    withSumServer(harm, async (port) => {
      const command = [
        process.execPath,
        clientScript('rpc-client.mjs'),
        `--port=${port}`,
        '--depth=8',
        '--in-turn',
      ];
      const client = new Child(command, { cpu: 1, env: { CLIENT: 'tcp' } });
      try {
        return await action(client);
      } finally {
        await client.stop();
      }
    });
  const ask = (client, calls) => client.ask(String(calls), 60_000);

  it('makes as many calls as it is told, again and again', async () => {
    let answered = 0;
    const count = (reply) => (answered++, frame(reply));
    await inTurn(count, async (client) => {
      for (const [calls, sum] of [
        [100, 100],
        [3, 103],
        [1, 104],
      ]) {
        assert.ok(JSON.parse(await ask(client, calls)).cpuMicros > 0);
        assert.equal(answered, sum);
      }
    });
  });

  it('notices a wrong sum', async () => {
    const wrong = (reply) => frame({ ...reply, response: reply.response + 1 });
    await assert.rejects(
      inTurn(onceAfter(20, wrong), (client) => ask(client, 1000)),
      /wrong response/,
    );
  });
});

describe('gev_load, with a rival', () => {
  const inTurn = (harm, harmRival) =>
    withEchoServer(harmRival, (rivalPort) => {
      const rival = { 'rival-port': rivalPort, 'rival-pid': process.pid, slices: 3, messages: 500 };
      return loadEcho(harm, { 'server-pid': process.pid, ...rival });
    });

  it('loads both in turn, so many messages each time', async () => {
    const { code, report } = await inTurn(honest, honest);
    assert.equal(code, 0, report.error);
    assert.equal(report.messages, 500);
    for (const micros of [report.cpuMicros, report.rivalCpuMicros]) {
      assert.equal(micros.length, 3);
      assert.ok(micros.every((value) => value >= 0));
    }
  });

  it('notices one flipped bit of either', async () => {
    const flip = (chunk) => {
      const copy = Buffer.from(chunk);
      copy[0] ^= 1;
      return copy;
    };
    for (const harms of [
      [flip, honest],
      [honest, flip],
    ]) {
      const { code, report } = await inTurn(...harms);
      assert.equal(code, 1);
      assert.match(report.error, /wrong byte/);
    }
  });
});
