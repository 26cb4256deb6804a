import { describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { startServer } from '../kit/server-process.js';
import { eventually } from '../kit/until.js';

const CLIENTS = 63;
const ROUNDS = 40;

describe.each([0, 2])('reading on %i loops', (loops) => {
  it('R6: a connection that floods does not starve 63 that ping', async () => {
    const { port } = await startServer('echo', { loops });
    const peers = await Peer.connectAll(CLIENTS, port);
    for (const peer of peers) peer.read();
    await pings(peers); // warms up
    await eventually(3, async () => {
      const quiet = await pings(peers);
      const stop = flood(port, 2);
      const busy = await pings(peers);
      stop();
      // Flooders and clients share this thread: the bound is about starving, not about speed.
      expect(busy).toBeLessThan(Math.max(10 * quiet, 100));
    });
  });
});

/** The 99th percentile of round-trip times in milliseconds. */
async function pings(peers: readonly Peer[]): Promise<number> {
  const times = await Promise.all(
    peers.map(async ({ socket }) => {
      const own: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const started = performance.now();
        const echoed = new Promise((resolve) => socket.once('data', resolve));
        socket.write('ping');
        await echoed;
        own.push(performance.now() - started);
      }
      return own;
    }),
  );
  const sorted = times.flat().sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length * 0.99)]!;
}

/** Connections that send as fast as they can, and read what comes back. */
function flood(port: number, count: number): () => void {
  const chunk = Buffer.alloc(256 * 1024);
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    const send = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket
      .on('connect', send)
      .on('drain', send)
      .on('error', () => undefined)
      .resume();
    onCleanup(() => socket.destroy());
    return socket;
  });
  return () => sockets.forEach((socket) => socket.destroy());
}
