import { describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { startServer } from '../kit/server-process.js';
import { serve } from '../kit/serve.js';
import { socketEnd } from '../kit/socket-table.js';
import { eventually, settled, until } from '../kit/until.js';

const KiB = 1024;

describe.each([0, 2])('socket options on %i loops', (loops) => {
  /** How much farther apart two bytes arrived than they were sent; the median of a few pairs. */
  async function spread(noDelay: boolean | undefined): Promise<number> {
    const service = await serve({ loops, ...(noDelay === undefined ? {} : { noDelay }) });
    const { socket } = await Peer.connect(service.port);
    const connection = await service.connection();
    const arrivals: number[] = [];
    socket.on('data', (chunk) => chunk.forEach(() => arrivals.push(performance.now()))).resume();
    const gaps: number[] = [];
    for (let round = 0; round < 25; round++) {
      arrivals.length = 0;
      const sent = [performance.now()];
      connection.send('a');
      await new Promise((resolve) => setTimeout(resolve, 2));
      sent.push(performance.now());
      connection.send('b');
      await until(() => arrivals.length === 2);
      gaps.push(arrivals[1]! - arrivals[0]! - (sent[1]! - sent[0]!));
    }
    return gaps.sort((left, right) => left - right)[12]!;
  }

  it('W7: two bytes sent 2 ms apart arrive under 5 ms apart, by default', () =>
    eventually(3, async () => expect(await spread(undefined)).toBeLessThan(3)));

  it('W7: keepAlive sets the timer of the system, and is off by default', async () => {
    for (const [keepAlive, seconds] of [
      [false, undefined] as const,
      [true, 60] as const,
      [30_000, 30] as const,
    ]) {
      const { port, connection } = await serve({ loops, keepAlive });
      const peer = await Peer.connect(port);
      await connection();
      const timer = socketEnd(port, peer.port)!.keepAlive;
      if (seconds === undefined) expect(timer).toBeUndefined();
      else expect(timer! / 100).toBeCloseTo(seconds, -1);
    }
  });

  it('W7: sendBufferSize bounds what the system holds back for a peer', async () => {
    const held = async (options: object): Promise<number> => {
      const { port, connection } = await serve({ loops, ...options });
      const peer = await Peer.connect(port);
      const server = await connection();
      server.send(Buffer.alloc(16 * KiB * KiB));
      await until(() => server.bufferedBytes < 16 * KiB * KiB);
      await settled(() => server.bufferedBytes);
      return socketEnd(port, peer.port)!.sendQueue;
    };
    const small = await held({ sendBufferSize: 32 * KiB });
    expect(small).toBeLessThan(256 * KiB);
    expect(await held({})).toBeGreaterThan(2 * small);
  });

  it('W7: receiveBufferSize bounds what the system takes from a peer that nobody reads from', async () => {
    const held = async (options: object): Promise<number> => {
      const { port } = await serve({ loops, ...options }, { connect: () => new Promise(() => undefined) });
      const peer = await Peer.connect(port);
      peer.write(Buffer.alloc(16 * KiB * KiB));
      const queue = (): number => socketEnd(port, peer.port)?.receiveQueue ?? 0;
      await until(() => queue() > 0);
      return settled(queue);
    };
    const small = await held({ receiveBufferSize: 8 * KiB, drainTimeout: 50 });
    expect(small).toBeLessThanOrEqual(16 * KiB);
    expect(await held({ drainTimeout: 50 })).toBeGreaterThan(2 * small);
  });
});

it('W7: backlog is how many connections may wait to be accepted', async () => {
  const { port, child } = await startServer('echo', { loops: 0, backlog: 4 });
  child.kill('SIGSTOP');
  let connected = 0;
  for (let number = 0; number < 10; number++) {
    const socket = connect(port, '127.0.0.1', () => connected++).on('error', () => undefined);
    onCleanup(() => socket.destroy());
  }
  expect(await settled(() => connected, 500)).toBe(4 + 1); // Linux takes one more than it is told
  child.kill('SIGCONT');
  await until(() => connected === 10); // the others knock again after a second
});
