import { describe, expect, it } from '@jest/globals';
import { GevConnectionClosedError, type GevConnection } from 'nestjs-gev';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const MiB = 1024 * 1024;

async function pair(loops: number, options = {}, peerOptions = {}) {
  const closes: string[] = [];
  const service = await serve({ loops, ...options }, { close: (reason) => void closes.push(reason) });
  const peer = await Peer.connect(service.port, peerOptions);
  return { service, peer, closes, connection: await service.connection() };
}

async function expectUnsendable(connection: GevConnection): Promise<void> {
  expect(() => connection.send('late')).toThrow(GevConnectionClosedError);
  await expect(connection.sendAsync('late')).rejects.toMatchObject({ code: 'ERR_GEV_CONNECTION_CLOSED' });
  const failures: unknown[] = [];
  expect(connection.send('late', (error) => failures.push(error))).toBe(false);
  expect(failures).toEqual([]); // told later, not within the call
  await until(() => failures.length > 0);
  expect(failures).toEqual([expect.any(GevConnectionClosedError)]);
}

describe.each([0, 2])('closing on %i loops', (loops) => {
  it('W6: close() flushes, then says FIN; once more changes nothing', async () => {
    const { peer, connection, closes } = await pair(loops);
    const end = peer.digest();
    connection.send(Buffer.alloc(8 * MiB));
    connection.close();
    connection.close();
    expect(connection.state).toBe('closing');
    await expectUnsendable(connection);
    expect((await end).bytes).toBe(8 * MiB);
    expect(peer.events).toEqual(['end', 'close']);
    await until(() => closes.length > 0);
    connection.close();
    connection.shutdownWrite();
    connection.destroy();
    expect(connection.state).toBe('closed');
    expect(closes).toEqual(['local']);
    await expectUnsendable(connection);
  });

  it('W6: close() gives up after closeTimeout when the peer never reads', async () => {
    const { peer, connection, closes } = await pair(loops, { closeTimeout: 300 });
    connection.send(Buffer.alloc(32 * MiB));
    const started = performance.now();
    connection.close();
    await until(() => closes.length > 0, 'the close event');
    expect(performance.now() - started).toBeGreaterThanOrEqual(300);
    expect(closes).toEqual(['local']);
    const { bytes } = await peer.digest();
    expect(bytes).toBeLessThan(32 * MiB);
  });

  it('W6: close() gives up after closeTimeout when the peer never says FIN', async () => {
    const { peer, connection, closes } = await pair(loops, { closeTimeout: 300 }, { allowHalfOpen: true });
    peer.read();
    const started = performance.now();
    connection.send('bye');
    connection.close();
    expect(await peer.text(3)).toBe('bye');
    await until(() => peer.ended);
    await until(() => closes.length > 0, 'the close event');
    expect(performance.now() - started).toBeGreaterThanOrEqual(300);
    expect(closes).toEqual(['local']);
  });

  it('W6: shutdownWrite() says FIN after pending output, and receiving goes on', async () => {
    const received: string[] = [];
    const closes: string[] = [];
    const service = await serve(
      { loops },
      {
        message: (data) => void received.push(data.toString()),
        close: (reason) => void closes.push(reason),
      },
    );
    const peer = await Peer.connect(service.port, { allowHalfOpen: true });
    const connection = await service.connection();
    connection.send(Buffer.alloc(8 * MiB));
    connection.shutdownWrite();
    connection.shutdownWrite();
    await expectUnsendable(connection);
    expect(connection.state).toBe('open');
    peer.read();
    await until(() => peer.ended, 'FIN');
    expect(peer.length).toBe(8 * MiB);
    peer.write('still here');
    await until(() => received.join('') === 'still here');
    expect(closes).toEqual([]);
    peer.socket.end();
    await until(() => closes.length > 0);
    expect(closes).toEqual(['peer']);
  });

  it('W6: destroy() is immediate, whatever waits', async () => {
    const { peer, connection, closes } = await pair(loops, { closeTimeout: 60_000 });
    const lost = connection.sendAsync(Buffer.alloc(32 * MiB));
    connection.destroy();
    connection.destroy();
    connection.close();
    await expect(lost).rejects.toMatchObject({ reason: 'local' });
    await until(() => closes.length > 0);
    expect(closes).toEqual(['local']);
    expect((await peer.digest()).bytes).toBeLessThan(32 * MiB);
  });

  it('W6: destroy() cuts a close() short', async () => {
    const { connection, closes } = await pair(loops, { closeTimeout: 60_000 });
    connection.send(Buffer.alloc(32 * MiB));
    connection.close();
    connection.destroy();
    await until(() => closes.length > 0);
    expect(closes).toEqual(['local']);
  });

  it('W6: what a message makes a handler send before it closes the connection arrives', async () => {
    const service = await serve(
      { loops },
      {
        message(_, connection) {
          connection.send('one ');
          connection.send('two');
          connection.close();
          return 'never';
        },
      },
    );
    for (let round = 0; round < 20; round++) {
      const peer = (await Peer.connect(service.port)).read();
      peer.write('x');
      expect(await peer.text(7)).toBe('one two');
      await until(() => peer.closed);
      expect(peer.events).toEqual(['end', 'close']);
      expect(peer.length).toBe(0);
    }
    expect(service.server.stats().handlers.lateReplies).toBe(20);
  });

  it('C5: a peer that resets is a close reason, with the code of the system', async () => {
    const { peer, connection, closes } = await pair(loops);
    peer.reset();
    await until(() => closes.length > 0);
    expect(closes).toEqual(['reset']);
    expect(connection.closeError).toMatchObject({ name: 'GevConnectionError', code: 'ECONNRESET' });
    expect(connection.closeReason).toBe('reset');
  });

  it('C5: a peer that resets while output waits for it is a close reason', async () => {
    const { peer, connection, closes } = await pair(loops);
    connection.send(Buffer.alloc(16 * MiB));
    await until(() => peer.socket.bytesRead > 0 || connection.bufferedBytes < 16 * MiB);
    peer.reset();
    await until(() => closes.length > 0);
    expect(closes).toEqual(['reset']);
    expect(['ECONNRESET', 'EPIPE']).toContain(connection.closeError?.code);
  });
});
