import { describe, expect, it } from '@jest/globals';
import { GevBackpressureError, GevConnectionClosedError, type GevConnection } from 'nestjs-gev';
import { createHash, randomBytes } from 'node:crypto';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { socketEnd } from '../kit/socket-table.js';
import { settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;
const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

async function pair(loops: number, options = {}) {
  const service = await serve({ loops, ...options });
  const peer = await Peer.connect(service.port);
  return { service, peer, connection: await service.connection() };
}

/** Sends until output waits above the high-water mark, and the kernel takes no more of it. */
async function fill(connection: GevConnection, chunk: Buffer, mark: number): Promise<void> {
  do {
    while (connection.send(chunk));
  } while ((await settled(() => connection.bufferedBytes, 50)) <= mark);
}

describe.each([0, 2])('writing on %i loops', (loops) => {
  it('W1: the buffer that was sent may be reused at once', async () => {
    const { peer, connection } = await pair(loops);
    peer.read();
    const scratch = Buffer.alloc(1000);
    const expected = createHash('sha256');
    for (let number = 0; number < 5000; number++) {
      scratch.fill(number & 0xff).writeUInt32LE(number);
      expected.update(scratch);
      connection.send(scratch);
      scratch.fill(0xee);
    }
    expect(sha256(await peer.take(5_000_000))).toBe(expected.digest('hex'));
  });

  it('W1: an echo that is changed after it was returned arrives as it was, and so do views and texts', async () => {
    const service = await serve(
      { loops },
      {
        message(data, connection) {
          const kept = Buffer.from(data);
          connection.send(data.subarray(1, 3));
          connection.send(new Uint8Array(kept.buffer, kept.byteOffset, 2));
          connection.send('é漢😀');
          data.fill(0);
          kept.fill(0);
          setImmediate(() => data.fill(1));
          return undefined;
        },
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    for (let round = 0; round < 50; round++) {
      peer.write('abcd');
      expect(await peer.text(13)).toBe('bcabé漢😀');
    }
  });

  it('W2: send tells that output is above the high-water mark, and drain$ that it is below the low one', async () => {
    const { peer, connection } = await pair(loops, { highWaterMark: MiB, lowWaterMark: 64 * 1024 });
    let drains = 0;
    const buffered: number[] = [];
    connection.drain$.subscribe(() => {
      drains++;
      buffered.push(connection.bufferedBytes);
    });
    for (let round = 1; round <= 3; round++) {
      await fill(connection, randomBytes(100_000), MiB);
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

  it('W2: a completion comes once, in order, and not before the kernel has the bytes', async () => {
    const { peer, connection } = await pair(loops);
    const done: number[] = [];
    const chunk = Buffer.alloc(MiB, 1);
    for (let number = 0; number < 32; number++) {
      connection.send(chunk, (error) => {
        expect(error).toBeUndefined();
        expect(connection.bytesSent - connection.bufferedBytes).toBeGreaterThanOrEqual((number + 1) * MiB);
        done.push(number);
      });
    }
    const early = await settled(() => done.length, 100);
    expect(early).toBeLessThan(32); // nobody reads, and no kernel takes 32 MiB
    const end = peer.digest();
    await connection.sendAsync('last');
    expect(done).toEqual(Array.from({ length: 32 }, (_, number) => number));
    connection.close();
    expect((await end).bytes).toBe(32 * MiB + 4);
    expect(done).toHaveLength(32);
  });

  it('W2: completions fail with a typed error when the connection ends first', async () => {
    const { peer, connection } = await pair(loops);
    await connection.sendAsync('taken');
    const results = [connection.sendAsync(Buffer.alloc(24 * MiB)), connection.sendAsync('never')];
    const settledResults = Promise.allSettled(results);
    peer.reset();
    for (const result of await settledResults) {
      expect(result.status).toBe('rejected');
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(GevConnectionClosedError);
      expect(reason).toMatchObject({ code: 'ERR_GEV_CONNECTION_CLOSED', reason: 'reset' });
    }
    await expect(connection.sendAsync('late')).rejects.toBeInstanceOf(GevConnectionClosedError);
    expect(() => connection.send('late')).toThrow(GevConnectionClosedError);
  });

  it('W2: what is over maxSendBuffer fails with GevBackpressureError and ends the connection', async () => {
    const { connection } = await pair(loops, { maxSendBuffer: 4 * MiB });
    const pending = connection.sendAsync(Buffer.alloc(4 * MiB - 1)).then(
      () => 'taken',
      (error: GevConnectionClosedError) => error.reason,
    );
    const over = connection.sendAsync(Buffer.alloc(24 * MiB));
    await expect(over).rejects.toBeInstanceOf(GevBackpressureError);
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('backpressure');
    expect(['taken', 'backpressure']).toContain(await pending);
  });

  it('W5: bufferedBytes is exact at once and always, with 32 MiB queued, and returns to 0', async () => {
    const { service, peer, connection } = await pair(loops);
    connection.send('12345');
    expect(connection.bufferedBytes).toBe(5);
    connection.send(Buffer.alloc(1000));
    expect(connection.bufferedBytes).toBe(1005);
    await until(() => connection.bufferedBytes === 0);

    const total = 32 * MiB;
    connection.send(Buffer.alloc(total));
    // No kernel takes more than half of it (tcp_wmem and tcp_rmem end at about 4 and 6 MiB).
    expect(connection.bufferedBytes).toBeGreaterThan(total / 2);
    expect(connection.bufferedBytes).toBeLessThanOrEqual(total);
    await settled(() => connection.bufferedBytes);
    const [sender, receiver] = [socketEnd(service.port, peer.port), socketEnd(peer.port, service.port)];
    const taken = peer.socket.bytesRead + receiver!.receiveQueue + sender!.sendQueue;
    expect(connection.bytesSent - connection.bufferedBytes).toBe(taken);
    expect(connection.bytesSent).toBe(total + 1005);

    const end = peer.digest();
    await until(() => connection.bufferedBytes === 0);
    connection.close();
    expect((await end).bytes).toBe(total + 1005);
    await until(() => connection.state === 'closed');
    expect(connection.bufferedBytes).toBe(0);
  });

  it('W3: 64 MiB through a slow reader arrive byte-exact', async () => {
    const { peer, connection } = await pair(loops, { maxSendBuffer: 80 * MiB });
    const data = randomBytes(64 * MiB);
    const end = peer.digest(2 * MiB);
    await connection.sendAsync(data);
    connection.close();
    expect(await end).toEqual({ bytes: data.length, sha256: sha256(data) });
    expect(peer.events).toEqual(['end', 'close']);
  });

  it('W3: 64 MiB through a slow reader arrive byte-exact when close() follows at once', async () => {
    const { peer, connection } = await pair(loops, { maxSendBuffer: 80 * MiB, closeTimeout: 60_000 });
    const data = randomBytes(64 * MiB);
    const end = peer.digest(2 * MiB);
    connection.send(data);
    connection.close();
    expect(await end).toEqual({ bytes: data.length, sha256: sha256(data) });
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('local');
  });

  it('W3: many sizes in many sends arrive in order, byte-exact', async () => {
    const { peer, connection } = await pair(loops, { maxSendBuffer: 80 * MiB, closeTimeout: 60_000 });
    const expected = createHash('sha256');
    const end = peer.digest(4 * MiB);
    let bytes = 0;
    for (let round = 0; round < 40; round++) {
      for (const size of [0, 1, 3, 17, 4095, 65_536, 131_072, 131_073, 262_144, 400_001]) {
        const data = randomBytes(size);
        expected.update(data);
        bytes += size;
        connection.send(data);
      }
    }
    connection.close();
    expect(await end).toEqual({ bytes, sha256: expected.digest('hex') });
  });
});
