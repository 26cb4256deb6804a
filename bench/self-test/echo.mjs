import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { honest, loadEcho } from './echo-server.mjs';

/** Applies `change` to the one chunk that holds byte 10,000 of a stream. */
const once10000 = (change) => (chunk, position) =>
  position <= 10_000 && position + chunk.length > 10_000 ? change(chunk, 10_000 - position) : chunk;

describe('gev_load, echo', () => {
  it('accepts an honest echo, and counts every byte of it', async () => {
    const { code, report } = await loadEcho(honest);
    assert.equal(code, 0);
    assert.equal(report.errors, 0);
    assert.ok(report.messages > 100);
    assert.ok(report.bytesVerified >= report.messages * 64);
    assert.ok(report.p50Micros <= report.p90Micros && report.p90Micros <= report.p99Micros);
    assert.ok(report.p99Micros <= report.maxMicros);
  });

  it('verifies messages larger than any socket buffer', async () => {
    const { code, report } = await loadEcho(honest, { size: 1 << 20, depth: 8, connections: 2 });
    assert.equal(code, 0, report.error);
  });

  it('notices one flipped bit', async () => {
    const { code, report } = await loadEcho(
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
    const { code, report } = await loadEcho(once10000((chunk) => chunk.subarray(1)));
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte/);
  });

  it('notices a doubled byte', async () => {
    const { code, report } = await loadEcho(
      once10000((chunk) => Buffer.concat([chunk.subarray(0, 1), chunk])),
    );
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte|more than were sent/);
  });

  it('notices two connections whose bytes are swapped', async () => {
    const sockets = [];
    const { code, report } = await loadEcho((chunk, position, socket) => {
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
    const { code, report } = await loadEcho((chunk, position, socket) => {
      clearTimeout(socket.surplus);
      socket.surplus = setTimeout(() => socket.write('x'), 5);
      return chunk;
    });
    assert.equal(code, 1);
    assert.match(report.error, /wrong byte|more than were sent/);
  });

  it('notices a message that never comes back', async () => {
    const { code, report } = await loadEcho(
      (chunk, position) => (position > 10_000 ? Buffer.alloc(0) : chunk),
      {
        seconds: 0.1,
      },
    );
    assert.equal(code, 1);
    assert.match(report.error, /never came back/);
  });

  it('notices a connection that is closed', async () => {
    const { code, report } = await loadEcho((chunk, position, socket) => {
      if (position > 10_000) socket.destroy();
      return chunk;
    });
    assert.equal(code, 1);
    assert.match(report.error, /closed by the server|cannot (send|receive)/);
  });
});
