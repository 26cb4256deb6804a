import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { framed } from '../runner/contenders.mjs';
import { startServer } from '../runner/server.mjs';
import { loadEcho } from './echo-server.mjs';
import { run } from './generator.mjs';

const framings = ['line', 'length'];

/** The messages in what came on a connection, without what stands around them. */
function cut(framing, bytes) {
  const messages = [];
  for (let at = 0; at < bytes.length;) {
    const start = framing === 'line' ? at : at + 4;
    const end = framing === 'line' ? bytes.indexOf('\n', at) : start + bytes.readUInt32BE(at);
    messages.push(bytes.subarray(start, end));
    at = framing === 'line' ? end + 1 : end;
  }
  return messages;
}

/** Applies `change` to the first chunk of several messages behind that position of a stream. */
function onceBehind(position, size, change) {
  let done = false;
  return (chunk, at) => {
    if (done || at < position || chunk.length < 2 * size) return chunk;
    done = true;
    return change(chunk);
  };
}

describe('gev_load, framed', () => {
  it('sends messages of that size in that framing, other ones on each connection', async () => {
    for (const framing of framings) {
      const streams = new Map();
      const collect = (chunk, position, socket) => {
        streams.set(socket, Buffer.concat([streams.get(socket) ?? Buffer.alloc(0), chunk]));
        return chunk;
      };
      const { code, report } = await loadEcho(collect, { framing, size: 64, seconds: 0.1 });
      assert.equal(code, 0, report.error);
      assert.equal(streams.size, 4);
      const contents = [...streams.values()].map((bytes) => cut(framing, bytes));
      for (const message of contents.flat()) {
        assert.equal(message.length, 64);
        if (framing === 'line') assert.match(message.toString('latin1'), /^[ -~]+$/);
      }
      assert.equal(new Set(contents.map(([first]) => first.toString('latin1'))).size, 4);
      const sent = contents.reduce((sum, { length }) => sum + length, 0);
      assert.equal(report.bytesVerified, sent * (framing === 'line' ? 65 : 68));
    }
  });

  it('notices a wrong length, a lost or doubled line end, an exchanged message', async () => {
    const set = (offset, byte) => (chunk) => {
      const copy = Buffer.from(chunk);
      copy[offset] = byte;
      return copy;
    };
    const swapped = (size) => (chunk) =>
      Buffer.concat([chunk.subarray(size, 2 * size), chunk.subarray(0, size), chunk.subarray(2 * size)]);
    for (const [framing, size, changes] of [
      ['length', 68, [set(3, 63), set(0, 1), (chunk) => chunk.subarray(68), swapped(68)]],
      ['line', 65, [set(64, 0x20), (chunk) => Buffer.from(`${chunk}\n`), swapped(65)]],
    ]) {
      for (const change of changes) {
        const { code, report } = await loadEcho(onceBehind(10_000, size, change), {
          framing,
          size: 64,
        });
        assert.equal(code, 1);
        assert.match(report.error, /wrong byte|more than were sent|never came back/);
      }
    }
  });

  it('refuses framings there are not, and messages that no table holds', async () => {
    assert.match((await run({ port: 1, framing: 'netstring' })).stderr, /--framing: 'netstring' is not/);
    assert.match((await run({ port: 1, framing: 'line', size: 5000 })).stderr, /--size: framed messages/);
  });
});

describe('the contenders of codecs', () => {
  const yardsticks = ({ raw, each, corked, joined }) => [raw, each, corked, joined];
  for (const framing of framings) {
    for (const contender of yardsticks(framed(framing))) {
      it(`${contender.label} puts frames together that reads have cut: ${framing}`, async () => {
        const { child, port } = await startServer(contender, 0);
        try {
          const load = { port, framing, size: 100, depth: 2000, connections: 3, 'warm-up': 0, seconds: 0.2 };
          const { code, report } = await run(load);
          assert.equal(code, 0, report.error);
          assert.ok(report.bytesVerified >= 6000 * 101);
        } finally {
          await child.stop();
        }
      });
    }
  }
});
