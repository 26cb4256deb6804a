import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { run } from './generator.mjs';
import { frame, honest, once500, withSumServer } from './sum-server.mjs';

const load = (harm, options) =>
  withSumServer(harm, (port) =>
    run({ mode: 'rpc', port, connections: 4, depth: 4, 'warm-up': 0.05, seconds: 0.3, ...options }),
  );

/** The run is void, and says why. */
async function assertVoid(error, harm, options) {
  const { code, report } = await load(harm, options);
  assert.equal(code, 1);
  assert.match(report.error, error);
  assert.equal(report.errors, 1);
}

describe('gev_load, rpc', () => {
  it('accepts honest replies', async () => {
    const { code, report } = await load(honest);
    assert.equal(code, 0, report.error);
    assert.equal(report.errors, 0);
    assert.ok(report.messages > 100);
    assert.ok(report.bytesVerified >= report.messages * 60);
    assert.ok(report.p50Micros <= report.p99Micros && report.p99Micros <= report.maxMicros);
  });

  it('accepts the keys of a reply in any order', async () => {
    const { code, report } = await load(({ id, response, isDisposed }) =>
      frame({ id, isDisposed, response }),
    );
    assert.equal(code, 0, report.error);
  });

  it('accepts replies in any order, in pieces of a few bytes', async () => {
    async function trickle(socket) {
      while (socket.replies.length > 0) {
        await nextTurn();
        const bytes = socket.replies.splice(0).reverse().join('');
        for (let at = 0; at < bytes.length; at += 7) {
          await nextTurn();
          socket.write(bytes.slice(at, at + 7));
        }
      }
      socket.replies = undefined;
    }
    const { code, report } = await load((reply, count, socket) => {
      const idle = socket.replies === undefined;
      (socket.replies ??= []).push(frame(reply));
      if (idle) void trickle(socket);
      return '';
    });
    assert.equal(code, 0, report.error);
    assert.ok(report.messages > 16);
  });

  it('notices a wrong sum', async () => {
    await assertVoid(
      /wrong response \d+, not \d+, to '83#/,
      once500((reply) => frame({ ...reply, response: reply.response + 1 })),
    );
  });

  it('notices the right sums under exchanged ids', async () => {
    let held;
    await assertVoid(/wrong response/, (reply, count) => {
      if (count === 500) held = reply;
      if (count === 500) return '';
      if (count !== 501 || !held) return frame(reply);
      return frame({ ...reply, id: held.id }) + frame({ ...held, id: reply.id });
    });
  });

  it('notices a reply that never comes', async () => {
    await assertVoid(/^1 replies never came back/, (reply, count) =>
      reply.id.startsWith('00000') && count === 50 ? '' : frame(reply),
    );
  });

  it('notices a reply that comes twice', async () => {
    await assertVoid(
      /no outstanding request has the id '\d{21}'/,
      once500((reply) => frame(reply) + frame(reply)),
    );
  });

  it('notices the reply to a request of another connection', async () => {
    const sockets = [];
    await assertVoid(/no outstanding request has the id '\d{21}'/, (reply, count, socket) => {
      if (!sockets.includes(socket)) sockets.push(socket);
      const other = sockets[(sockets.indexOf(socket) + 1) % sockets.length];
      if (count < 500 || other === socket) return frame(reply);
      other.write(frame(reply));
      return '';
    });
  });

  it('notices ids that were never sent', async () => {
    for (const id of ['', 'x', '9'.repeat(21), 'x'.repeat(21), '000000000999999999999']) {
      await assertVoid(
        /no outstanding request has the id/,
        once500((reply) => frame({ ...reply, id })),
      );
    }
  });

  it('notices whatever is not the one reply it expects', async () => {
    const notReplies = [
      (reply) => frame({ id: reply.id, err: 'failed', isDisposed: true }),
      (reply) => frame({ ...reply, isDisposed: false }),
      (reply) => frame({ ...reply, more: 1 }),
      (reply) => frame({ ...reply, response: String(reply.response) }),
      ({ response, id }) => frame({ response, id }),
      (reply) =>
        frame(reply)
          .replace('}', ',"isDisposed":true}')
          .replace(/^\d+/, (n) => Number(n) + 18),
      (reply) =>
        frame(reply)
          .replace('#', '# ')
          .replace(/^\d+/, (n) => Number(n) + 1),
      (reply) => JSON.stringify(reply),
      (reply) => `x${frame(reply)}`,
      () => '#',
      () => '0#',
      () => '99999#',
      () => '600#',
      () => '\0\0\0\0',
    ];
    for (const make of notReplies) await assertVoid(/not a reply: '/, once500(make));
  });

  it('notices a length that is one too small or too large', async () => {
    const lengthen = (by) => (reply) => frame(reply).replace(/^\d+/, (length) => Number(length) + by);
    for (const by of [-1, 1]) {
      await assertVoid(/not a reply|bytes that answer no request|never came back/, once500(lengthen(by)));
    }
  });

  it('notices bytes that belong to no reply', async () => {
    const error = /bytes that answer no request: '6'/;
    await assertVoid(
      error,
      once500((reply) => `${frame(reply)}6`),
      { depth: 1 },
    );
  });

  it('notices bytes that come after the last reply', async () => {
    await assertVoid(/bytes that answer no request|not a reply/, (reply, count, socket) => {
      clearTimeout(socket.surplus);
      socket.surplus = setTimeout(() => socket.write('6'), 5);
      return frame(reply);
    });
  });

  it('notices a connection that is closed', async () => {
    await assertVoid(
      /closed by the server|cannot (send|receive)/,
      once500((reply, socket) => {
        socket.destroy();
        return '';
      }),
    );
  });
});
