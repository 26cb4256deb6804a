import { describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { Peer } from '../kit/peer.js';
import { cpuShare, residentMemory } from '../kit/process-stats.js';
import { sanitized, startServer } from '../kit/server-process.js';
import { serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;
/** Received and not yet answered: what one turn reads, and slabs on their way. */
const IN_FLIGHT = 2 * MiB;

describe.each([0, 2])('a peer that never reads, on %i loops', (loops) => {
  it('W4: a peer that sends and never reads costs under 3 % CPU and stays within its cap', async () => {
    const { port, pid } = await startServer('echo', { loops, highWaterMark: MiB });
    const warm = (await Peer.connect(port)).read();
    warm.write(Buffer.alloc(4 * MiB));
    await warm.take(4 * MiB);
    const before = residentMemory(pid);

    const peers = await Peer.connectAll(4, port);
    for (const peer of peers) peer.write(Buffer.alloc(64 * MiB));
    await settled(() => peers.reduce((sum, { socket }) => sum + socket.writableLength, 0), 500);
    expect(await cpuShare(pid, 3_000)).toBeLessThan(0.03);
    if (!sanitized)
      expect(residentMemory(pid) - before).toBeLessThan(peers.length * (MiB + IN_FLIGHT) + 32 * MiB);

    warm.write('still served'); // and nobody else is held up
    expect(await warm.text(12)).toBe('still served');
  });

  it('W4: reading pauses above highWaterMark and resumes below lowWaterMark; nothing is lost', async () => {
    const service = await serve(
      { loops, highWaterMark: 256 * 1024, lowWaterMark: 64 * 1024 },
      { message: (data) => data },
    );
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    const data = randomBytes(32 * MiB);
    for (let round = 1; round <= 2; round++) {
      peer.write(data);
      await until(() => connection.bufferedBytes > 64 * 1024);
      const received = await settled(() => connection.bytesReceived);
      expect(received).toBeLessThan(round * data.length);
      expect(connection.bufferedBytes).toBeGreaterThan(64 * 1024);
      expect(connection.bufferedBytes).toBeLessThan(256 * 1024 + IN_FLIGHT);
      peer.read();
      expect(sha256(await peer.take(data.length))).toBe(sha256(data));
      peer.pause();
    }
    expect(connection.bufferedBytes).toBe(0);
  });

  it('W4: messages that wait for a slow handler pause reading, too', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    let handled = 0;
    const service = await serve(
      { loops, highWaterMark: MiB },
      {
        async message(data) {
          await gate;
          handled += data.length;
        },
      },
    );
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    peer.write(Buffer.alloc(32 * MiB));
    await until(() => connection.bytesReceived > MiB);
    expect(await settled(() => connection.bytesReceived)).toBeLessThan(MiB + IN_FLIGHT);
    release();
    await until(() => handled === 32 * MiB);
  });

  it('W4: maxSendBuffer ends the connection, reason backpressure, and only that one', async () => {
    const closes: string[] = [];
    const service = await serve(
      { loops, maxSendBuffer: 4 * MiB },
      { message: (data) => data, close: (reason) => void closes.push(reason) },
    );
    const [stalled, other] = [await Peer.connect(service.port), await Peer.connect(service.port)];
    const connection = await service.connection();
    const chunk = Buffer.alloc(MiB);
    await until(() => {
      if (connection.state === 'open') service.server.broadcast(chunk, ({ id }) => id === connection.id);
      return closes.length > 0;
    });
    expect(closes).toEqual(['backpressure']);
    expect(connection.bytesSent).toBeLessThan(24 * MiB);
    stalled.read();
    await until(() => stalled.closed);
    other.read().write('ping');
    expect(await other.text(4)).toBe('ping');
  });
});

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
