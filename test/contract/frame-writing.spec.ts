import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { GevBackpressureError, GevConnectionClosedError, type GevConnection } from 'nestjs-gev';
import { createHash } from 'node:crypto';
import { frame, FramePeer, serveEcho } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

async function pair(loops: number, options = {}) {
  const service = await serveEcho({ loops, ...options });
  const peer = await Peer.connect(service.port);
  return { service, peer, connection: await service.connection() };
}

/** Sends until output waits above the high-water mark, and the kernel takes no more of it. */
async function fill(connection: GevConnection, text: string, mark: number): Promise<void> {
  do {
    while (connection.send(text));
  } while ((await settled(() => connection.bufferedBytes, 50)) <= mark);
}

describe.each([0, 2])('writing frames on %i loops', (loops) => {
  it('R5 W1: what is sent is on the wire byte-exact, of any characters and any length', async () => {
    const { peer, connection } = await pair(loops);
    peer.read();
    const piece = fc.tuple(
      fc.constantFrom('x', 'é', '漢', '😀', '\ud83d', '\ude00', 'x漢', '\u0000', '"\\\n'),
      fc.oneof(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 43_600, max: 44_000 }),
        fc.integer({ min: 131_000, max: 131_200 }),
      ),
    );
    const text = fc
      .array(piece, { maxLength: 3 })
      .map((all) => all.map(([filler, times]) => filler.repeat(times)).join(''));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), async (texts) => {
        for (const each of texts) connection.send(each);
        const expected = Buffer.concat(texts.map(frame));
        expect(sha256(await peer.take(expected.length))).toBe(sha256(expected));
        expect(peer.length).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('R5: replies are on the wire byte-exact, with the length in code units', async () => {
    const { port } = await serveEcho({ loops });
    const client = await FramePeer.connect(port);
    const values = [
      ...['', 'x', 'é', '漢', '😀', '\ud83d', 'a\ude00', '\ufffd', '"\\\n\u0000', '\u2028'],
      ...[47, 48, 49, 43_660, 43_670, 131_040, 131_072, 131_080, 600_000].flatMap((length) =>
        ['x', 'é', '漢', '😀'].map((filler) => filler.repeat(length)),
      ),
      ...[null, 0, -0.5, true, [], {}, { é: ['漢', { '😀': '\ud83d' }] }],
    ];
    for (const [index, data] of values.entries()) {
      const id = `id-${index}`;
      client.write({ pattern: 'echo', data, id });
      await until(() => client.texts.length > 0 || client.closed);
      // Compared as text: it is what JSON.stringify makes of it, whoever wrote the envelope.
      const expected = `{"response":${JSON.stringify(data)},"isDisposed":true,"id":"${id}"}`;
      expect(sha256(Buffer.from(client.texts.shift()!))).toBe(sha256(Buffer.from(expected)));
    }
  });

  it('W1: a buffer that was sent as a frame may be reused at once', async () => {
    const { peer, connection } = await pair(loops);
    peer.read();
    const scratch = Buffer.alloc(1000);
    const expected = createHash('sha256');
    for (let number = 0; number < 2_000; number++) {
      scratch.fill(`${number}é`);
      const text = scratch.toString();
      connection.send(scratch);
      scratch.fill(0xee);
      expected.update(frame(text));
    }
    const bytes = connection.bytesSent;
    expect(sha256(await peer.take(bytes))).toBe(expected.digest('hex'));
  });

  it('W2: send tells that frames wait above the high-water mark, and drain$ that they are below the low one', async () => {
    const { peer, connection } = await pair(loops, { highWaterMark: MiB, lowWaterMark: 64 * 1024 });
    let drains = 0;
    const buffered: number[] = [];
    connection.drain$.subscribe(() => {
      drains++;
      buffered.push(connection.bufferedBytes);
    });
    for (let round = 1; round <= 3; round++) {
      await fill(connection, '漢'.repeat(30_000), MiB);
      expect(connection.writable).toBe(false);
      expect(connection.send('more')).toBe(false);
      const before = drains; // a kernel that grows its buffers drains some, too
      peer.read();
      await until(() => drains > before, 'drain$');
      await until(() => connection.writable);
      peer.pause();
      expect(await settled(() => drains, 50)).toBe(before + 1);
    }
    expect(Math.max(...buffered)).toBeLessThanOrEqual(64 * 1024);
  });

  it('W2: a completion comes once, in order, and not before the kernel has the frame', async () => {
    const { peer, connection } = await pair(loops);
    const done: number[] = [];
    const text = 'x'.repeat(MiB);
    const size = frame(text).length;
    for (let number = 0; number < 32; number++) {
      connection.send(text, (error) => {
        expect(error).toBeUndefined();
        expect(connection.bytesSent - connection.bufferedBytes).toBeGreaterThanOrEqual((number + 1) * size);
        done.push(number);
      });
    }
    expect(await settled(() => done.length, 100)).toBeLessThan(32); // no kernel takes 32 MiB
    const end = peer.digest();
    await connection.sendAsync('last');
    expect(done).toEqual(Array.from({ length: 32 }, (_, number) => number));
    connection.close();
    expect((await end).bytes).toBe(32 * size + frame('last').length);
    expect(done).toHaveLength(32);
  });

  it('W2: completions of frames fail with a typed error when the connection ends first', async () => {
    const { peer, connection } = await pair(loops);
    await connection.sendAsync('taken');
    const results = Promise.allSettled([
      connection.sendAsync('x'.repeat(24 * MiB)),
      connection.sendAsync('never'),
    ]);
    peer.reset();
    for (const result of await results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { name: 'GevConnectionClosedError', code: 'ERR_GEV_CONNECTION_CLOSED', reason: 'reset' },
      });
    }
    await expect(connection.sendAsync('late')).rejects.toBeInstanceOf(GevConnectionClosedError);
    expect(() => connection.send('late')).toThrow(GevConnectionClosedError);
  });

  it('W2: a frame that maxSendBuffer has no room left for fails with GevBackpressureError and ends the connection', async () => {
    const { connection } = await pair(loops, { maxSendBuffer: 4 * MiB });
    const pending = connection.sendAsync('x'.repeat(4 * MiB - 100)).then(
      () => 'taken',
      (error: GevConnectionClosedError) => error.reason,
    );
    const over: unknown[] = [];
    while (connection.state === 'open') {
      connection.sendAsync('x'.repeat(3 * MiB)).catch((error: unknown) => over.push(error));
    }
    await until(() => over.some((error) => error instanceof GevBackpressureError));
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('backpressure');
    expect(['taken', 'backpressure']).toContain(await pending);
  });

  it('W5: bufferedBytes counts every byte of a frame at once, with 32 MiB queued, and returns to 0', async () => {
    const { peer, connection } = await pair(loops);
    connection.send('12345');
    expect(connection.bufferedBytes).toBe(7);
    connection.send('é漢😀');
    expect(connection.bufferedBytes).toBe(7 + 11);
    await until(() => connection.bufferedBytes === 0);

    const text = '漢'.repeat(MiB);
    const size = frame(text).length;
    for (let number = 0; number < 10; number++) connection.send(text);
    expect(connection.bufferedBytes).toBeGreaterThan(5 * size); // no kernel takes half of it
    expect(connection.bufferedBytes).toBeLessThanOrEqual(10 * size);
    expect(connection.bytesSent).toBe(10 * size + 18);
    const end = peer.digest();
    await until(() => connection.bufferedBytes === 0);
    connection.close();
    expect((await end).bytes).toBe(10 * size + 18);
  });
});
