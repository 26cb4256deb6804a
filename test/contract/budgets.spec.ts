import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import {
  GevBackpressureError,
  type GevContext,
  type GevConnection,
  GevProtocolError,
  type GevServer,
} from 'nestjs-gev';
import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { onCleanup } from '../kit/cleanup.js';
import { FramePeer, serveEcho } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { frame, serveRpc } from '../kit/rpc.js';
import { serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const { ENOBUFS, ETIMEDOUT } = constants.errno;

async function isServed(port: number): Promise<void> {
  const peer = await FramePeer.connect(port);
  peer.write({ pattern: 'echo', data: 'ping', id: '1' });
  expect(await peer.packets(1)).toMatchObject([{ response: 'ping' }]);
}

describe.each([0, 1])('incomplete frames, on %i loops', (loops) => {
  it('M2: above maxPartialBytes the connection with the oldest of them closes, reason protocol', async () => {
    const limits = { maxFrameLength: MiB, maxPartialBytes: 2_400_000 };
    const { port, server, connection, connections, lines } = await serveEcho({ loops, ...limits });
    const peers: Peer[] = [];
    for (let index = 0; index < 6; index++) {
      const peer = (await Peer.connect(port)).read();
      peers.push(peer);
      await connection(index);
      peer.write(`1000000#"${'x'.repeat(600 * KiB)}`);
      const over = Math.max(index - 2, 0); // three of them fit
      await until(() => server.stats().overPartialBytes === over, `${over} are given up`);
      await until(() => peers.slice(0, over).every(({ closed }) => closed));
    }
    expect(peers.map(({ closed }) => closed)).toEqual([true, true, true, false, false, false]);
    expect(connections[0]).toMatchObject({ closeReason: 'protocol' });
    expect(connections[0]!.closeError).toBeInstanceOf(GevProtocolError);
    expect(connections[0]!.closeError).toMatchObject({ errno: ENOBUFS, limit: 2_400_000 });
    expect(lines[0]).toMatch(/is closed: Incomplete frames took more than maxPartialBytes \(2400000 bytes\)/);
    // A frame that is complete makes room for others.
    for (const [index, peer] of [...peers.entries()].slice(3)) {
      peer.write(`${'x'.repeat(1000000 - 600 * KiB - 2)}"`);
      await until(() => connections[index]!.messagesReceived === 1);
    }
    for (const peer of peers.slice(3)) peer.write(`1000000#"${'x'.repeat(600 * KiB)}`);
    await settled(() => server.stats().open);
    expect(server.stats()).toMatchObject({ open: 3, overPartialBytes: 3 });
    await isServed(port);
  });

  it('M2: a peer that trickles, each byte in time, has an end', async () => {
    const { port, connection } = await serveEcho({ loops, incompleteFrameTimeout: 300 });
    const peer = (await Peer.connect(port)).read();
    const slow = await connection(0);
    peer.write('1000000#');
    const timer = setInterval(() => peer.write('x'), 50);
    onCleanup(() => clearInterval(timer));
    await until(() => slow.state === 'closed', 'it is hung up on');
    expect(slow.closeReason).toBe('protocol');
    expect(slow.closeError).toMatchObject({ errno: ETIMEDOUT });
    await isServed(port);
  });
});

/** So many bytes to each, by a broadcast: what the kernel does not take waits. */
function push(server: GevServer, connection: GevConnection, bytes: number): void {
  server.broadcast(Buffer.alloc(bytes), ({ id }) => id === connection.id);
}

describe.each([0, 2])('what waits for all peers, on %i loops', (loops) => {
  it('M3: above maxTotalSendBuffer the connection with most is closed, reason backpressure', async () => {
    const service = await serve(
      { loops, maxTotalSendBuffer: 32 * MiB, sendBufferSize: 256 * KiB },
      { message: (data) => data },
    );
    const peers: Peer[] = [];
    for (let index = 0; index < 4; index++) {
      peers.push(await Peer.connect(service.port));
      await service.connection(index);
    }
    const [first, second, third, other] = service.connections;
    push(service.server, first!, 10 * MiB);
    push(service.server, second!, 18 * MiB);
    peers[3]!.read().write('ping');
    expect(await peers[3]!.text(4)).toBe('ping'); // from the same loop as the second: it has all of it
    push(service.server, third!, 12 * MiB);
    await until(() => second!.state === 'closed', 'the one with most is closed');
    expect(second!.closeReason).toBe('backpressure');
    expect(second!.closeError).toBeInstanceOf(GevBackpressureError);
    expect(second!.closeError!.message).toMatch(
      'More than maxTotalSendBuffer (33554432 bytes) waited for all peers',
    );
    expect(service.server.stats().overTotalSendBuffer).toBe(1);
    expect(service.lines).toEqual([
      expect.stringMatching(/^connection \d+ \(.*\) is closed: More than maxTotalSendBuffer/),
    ]);
    expect([first, third, other].map((each) => each!.state)).toEqual(['open', 'open', 'open']);
    peers[0]!.read();
    await peers[0]!.take(10 * MiB);
    peers[3]!.write('ping');
    expect(await peers[3]!.text(4)).toBe('ping');
  });

  it('M3: peers that ask and never read have no more waiting than that, however many they are', async () => {
    const reply = 'x'.repeat(MiB);
    const [count, each] = [12, 8];
    let started = 0;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));

    @Controller()
    class Generous {
      @MessagePattern('much')
      async much(): Promise<string> {
        started++;
        await gate;
        return reply;
      }
      @MessagePattern('echo')
      echo(@Payload() data: unknown): unknown {
        return data;
      }
    }
    const service = await serveRpc({ loops, maxTotalSendBuffer: 24 * MiB }, Generous);
    const requests = frame({ pattern: 'much', data: 1, id: '1' }).repeat(each);
    const waiting = (): number =>
      service.connections.reduce((sum, connection) => sum + connection.bufferedBytes, 0);
    for (const peer of await Peer.connectAll(count, service.port)) peer.write(requests);
    await until(() => started === count * each);
    open(); // handlers that are at work already know nothing of any mark
    await until(() => service.server.stats().overTotalSendBuffer > 0);
    await settled(() => service.connections.reduce((sum, { bytesSent }) => sum + bytesSent, 0));
    expect(waiting()).toBeLessThan(26 * MiB);
    await isServed(service.port);
  });
});

describe.each([0, 1])('a peer that asks and does not read, on %i loops', (loops) => {
  const reply = 'x'.repeat(256 * KiB);
  let started = 0;

  @Controller()
  class Replies {
    @MessagePattern('reply')
    async reply(@Ctx() context: GevContext): Promise<string> {
      started++;
      await turn();
      expect(context.getConnection().state).toBe('open');
      return reply;
    }
  }

  it('W4: has no request begun above highWaterMark, those that wait in the queue included', async () => {
    started = 0;
    const service = await serveRpc({ loops, concurrency: 4 }, Replies);
    const peer = await Peer.connect(service.port);
    peer.write(frame({ pattern: 'reply', data: 1, id: '1' }).repeat(200));
    const connection = await service.connection();
    await until(() => connection.bufferedBytes > MiB);
    const begun = await settled(() => started);
    // A mark, what the kernel holds, and the handlers at work when the mark was reached.
    expect(connection.bufferedBytes).toBeLessThan(MiB + 5 * reply.length);
    expect(begun).toBeLessThan(100);
    peer.read();
    await until(() => started === 200);
  });

  it('W4: has no message handled above highWaterMark', async () => {
    const messages = 40;
    let handled = 0;
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const service = await serve(
      { loops },
      {
        async message() {
          await gate;
          handled++;
          return Buffer.alloc(MiB);
        },
      },
    );
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    for (let index = 1; index <= messages; index++) {
      peer.write('x'); // each a message of its own, all waiting for the first
      await until(() => connection.bytesReceived === index);
    }
    open();
    await until(() => connection.bufferedBytes > MiB);
    expect(await settled(() => handled)).toBeLessThan(messages / 2);
    expect(connection.bufferedBytes).toBeLessThan(3 * MiB);
    peer.read();
    await until(() => handled === messages);
  });
});
