// node bench/self-test.mjs: does the generator notice what it must, and is the arithmetic right? A benchmark that
// cannot fail proves nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { before, describe, it } from 'node:test';
import { buildNative } from './runner/build.mjs';
import { binary } from './runner/paths.mjs';
import { evaluate, judge, median } from './runner/statistics.mjs';
import { formatTable } from './runner/table.mjs';

/**
 * Runs the generator against an echo whose every chunk `harm` may change; `position` is where the chunk begins.
 *
 * @param {(chunk: Buffer, position: number, socket: import('node:net').Socket) => Buffer} harm
 * @param {Record<string, string | number>} [options]
 */
async function load(harm, options = {}) {
  const server = createServer({ noDelay: true }, (socket) => {
    let position = 0;
    socket.on('data', (chunk) => {
      socket.write(harm(chunk, position, socket));
      position += chunk.length;
    });
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const all = {
    port: server.address().port,
    connections: 4,
    depth: 4,
    'warm-up': 0.05,
    seconds: 0.2,
    ...options,
  };
  try {
    return await run(all);
  } finally {
    server.close();
  }
}

/** @param {Record<string, string | number>} options */
async function run(options) {
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const child = spawn(binary('gev_load'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (output[name] += text));
  const [code] = await once(child, 'close');
  return { code, report: output.stdout ? JSON.parse(output.stdout) : undefined, stderr: output.stderr };
}

const honest = (chunk) => chunk;
/** Applies `change` to the one chunk that holds byte 10,000 of a stream. */
const once10000 = (change) => (chunk, position) =>
  position <= 10_000 && position + chunk.length > 10_000 ? change(chunk, 10_000 - position) : chunk;

describe('gev_load', () => {
  before(buildNative);

  it('accepts an honest echo, and counts every byte of it', async () => {
    const { code, report } = await load(honest);
    assert.equal(code, 0);
    assert.equal(report.errors, 0);
    assert.ok(report.messages > 100);
    assert.ok(report.bytesVerified >= report.messages * 64);
    assert.ok(report.p50Micros <= report.p90Micros && report.p90Micros <= report.p99Micros);
    assert.ok(report.p99Micros <= report.maxMicros);
  });

  it('verifies messages larger than any socket buffer', async () => {
    const { code, report } = await load(honest, { size: 1 << 20, depth: 8, connections: 2 });
    assert.equal(code, 0, report.error);
  });

  it('notices one flipped bit', async () => {
    const { code, report } = await load(
      once10000((chunk, offset) => {
        const copy = Buffer.from(chunk);
        copy[offset] ^= 1;
        return copy;
      }),
    );
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte at position 10000 /);
    assert.equal(report.errors, 1);
  });

  it('notices a lost byte', async () => {
    const { code, report } = await load(once10000((chunk) => chunk.subarray(1)));
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte/);
  });

  it('notices a doubled byte', async () => {
    const { code, report } = await load(once10000((chunk) => Buffer.concat([chunk.subarray(0, 1), chunk])));
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte|more than were sent/);
  });

  it('notices two connections whose bytes are swapped', async () => {
    const sockets = [];
    const { code, report } = await load((chunk, position, socket) => {
      if (!sockets.includes(socket)) sockets.push(socket);
      const other = sockets[(sockets.indexOf(socket) + 1) % sockets.length];
      if (position < 10_000 || other === socket) return chunk;
      other.write(chunk);
      return Buffer.alloc(0);
    });
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte|more than were sent/);
  });

  it('notices bytes that come after the last message', async () => {
    const { code, report } = await load((chunk, position, socket) => {
      clearTimeout(socket.surplus);
      socket.surplus = setTimeout(() => socket.write('x'), 5);
      return chunk;
    });
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte|more than were sent/);
  });

  it('notices a message that never comes back', async () => {
    const { code, report } = await load((chunk, position) => (position > 10_000 ? Buffer.alloc(0) : chunk), {
      seconds: 0.1,
    });
    assert.equal(code, 1);
    assert.match(report.error, /never came back/);
  });

  it('notices a connection that is closed', async () => {
    const { code, report } = await load((chunk, position, socket) => {
      if (position > 10_000) socket.destroy();
      return chunk;
    });
    assert.equal(code, 1);
    assert.match(report.error, /closed by the server|cannot (send|receive)/);
  });

  it('counts dialled connections when their byte has come back', async () => {
    const { code, report } = await load(honest, { mode: 'accept', connections: 300, seconds: 10 });
    assert.equal(code, 0);
    assert.deepEqual([report.served, report.failed, report.timedOut], [300, 0, 0]);
  });

  it('counts those that are refused and those that are never served', async () => {
    const refused = await load((chunk, _position, socket) => socket.resetAndDestroy() && chunk, {
      mode: 'accept',
      connections: 50,
    });
    assert.deepEqual([refused.report.served, refused.report.failed], [0, 50]);
    const silent = await load(() => Buffer.alloc(0), { mode: 'accept', connections: 50, seconds: 0.3 });
    assert.deepEqual([silent.report.served, silent.report.timedOut], [0, 50]);
  });

  it('refuses options it does not know, other hosts than this one, and a core it is not pinned to', async () => {
    assert.match((await run({ port: 1, sise: 3 })).stderr, /--sise is not an option/);
    assert.match((await run({ port: 1, size: '3x' })).stderr, /--size: '3x'/);
    assert.match((await run({ port: 1, host: '192.0.2.1' })).stderr, /not a loopback address/);
    assert.match((await run({ port: 1, cpu: 4000 })).stderr, /not pinned to core 4000/);
  });
});

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
