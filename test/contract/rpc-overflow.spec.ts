import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { GevOverflow, GevServerOptions } from 'nestjs-gev';
import { finalize, startWith, Subject, type Observable } from 'rxjs';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, settled, until } from '../kit/until.js';

const KiB = 1024;
/** One value of the stream: 8 KiB and its number. */
const value = (number: number): { number: number; text: string } => ({ number, text: 'x'.repeat(8 * KiB) });
/** Far more than the kernel takes for a peer that does not read, on loopback and with small buffers. */
const MANY = 800;

let source = new Subject<unknown>();
let subscribed = 0;
let finalized = 0;

@Controller()
class Publisher {
  @MessagePattern('subscribe')
  subscribe(@Payload() first: unknown): Observable<unknown> {
    subscribed++;
    return source.pipe(
      startWith(first),
      finalize(() => finalized++),
    );
  }
}

/** A stream of `MANY` values to a peer that reads none of them until it is told to. */
async function publish(loops: number, overflow: GevOverflow, options: GevServerOptions = {}) {
  [source, subscribed, finalized] = [new Subject(), 0, 0];
  const service = await serveRpc(
    { loops, overflow, sendBufferSize: 64 * KiB, highWaterMark: 64 * KiB, ...options },
    Publisher,
  );
  const peer = await RpcPeer.connect(service.port);
  peer.send({ pattern: 'subscribe', data: 'x', id: 1 });
  await until(() => subscribed === 1);
  peer.peer.pause();
  for (let number = 0; number < MANY; number++) {
    source.next(value(number));
    // So that the kernel takes what it can, and the server learns of it.
    if (number % 50 === 49) await pause(1);
  }
  const { connections, server } = service;
  const numbers = (): number[] => peer.of(1).flatMap(({ response }) => response?.number ?? []);
  const dropped = (): number => server.stats().handlers.droppedValues;
  /** Reads until nothing comes any more. */
  const catchUp = async (): Promise<number[]> => {
    peer.read();
    await settled(() => peer.packets.length);
    return numbers();
  };
  return { peer, server, connection: connections[0]!, numbers, dropped, catchUp };
}

const ascending = (numbers: readonly number[]): boolean =>
  numbers.every((number, index) => index === 0 || number > numbers[index - 1]!);

describe.each([0, 2])('overflow of streams on %i loops', (loops) => {
  it('W4: buffer: everything is kept for the peer, in order', async () => {
    const { dropped, connection, catchUp } = await publish(loops, 'buffer');
    expect(connection.bufferedBytes).toBeGreaterThan(MANY * 4 * KiB);
    const numbers = await catchUp();
    expect(numbers).toEqual(Array.from({ length: MANY }, (_, number) => number));
    expect(dropped()).toBe(0);
  });

  it('W4: buffer: beyond maxSendBuffer the connection is closed, and the stream is unsubscribed', async () => {
    const { connection, dropped } = await publish(loops, 'buffer', { maxSendBuffer: 1024 * KiB });
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('backpressure');
    await until(() => finalized === 1);
    expect(dropped()).toBe(0);
  });

  it('W4: drop-newest: what comes while the peer is behind is dropped and counted; what comes later arrives', async () => {
    const { connection, dropped, catchUp, numbers, peer } = await publish(loops, 'drop-newest');
    expect(connection.bufferedBytes).toBeLessThan(256 * KiB);
    const first = await catchUp();
    expect(ascending(first)).toBe(true);
    expect(first[0]).toBe(0);
    expect(first.length + dropped()).toBe(MANY);
    source.next(value(MANY));
    await until(() => numbers().at(-1) === MANY);
    source.complete();
    expect((await peer.all(1)).at(-1)).toEqual({ isDisposed: true, id: 1 });
  });

  it('W4: drop-oldest: the newest ones are kept for the peer', async () => {
    const { connection, dropped, catchUp } = await publish(loops, 'drop-oldest', { overflowLimit: 10 });
    expect(connection.bufferedBytes).toBeLessThan(256 * KiB);
    const numbers = await catchUp();
    expect(numbers.slice(-10)).toEqual(Array.from({ length: 10 }, (_, index) => MANY - 10 + index));
    expect(ascending(numbers)).toBe(true);
    expect(numbers.length + dropped()).toBe(MANY);
  });

  it('W4: latest: the newest one is kept for the peer', async () => {
    const { connection, dropped, catchUp } = await publish(loops, 'latest');
    expect(connection.bufferedBytes).toBeLessThan(256 * KiB);
    const numbers = await catchUp();
    expect(numbers.at(-1)).toBe(MANY - 1);
    expect(ascending(numbers)).toBe(true);
    expect(numbers.length + dropped()).toBe(MANY);
  });

  it.each<GevOverflow>(['drop-newest', 'drop-oldest', 'latest'])(
    'W4: %s: the end reaches a peer that is behind, after what was kept',
    async (overflow) => {
      const { peer, dropped, numbers } = await publish(loops, overflow, { overflowLimit: 3 });
      source.complete();
      peer.read();
      expect((await peer.all(1)).at(-1)).toEqual({ isDisposed: true, id: 1 });
      if (overflow !== 'drop-newest') expect(numbers().at(-1)).toBe(MANY - 1);
      expect(numbers().length + dropped()).toBe(MANY);
      expect(finalized).toBe(1);
    },
  );

  it('W4: an error, too', async () => {
    const { peer, numbers } = await publish(loops, 'latest');
    source.error(new Error('broken'));
    peer.read();
    const err = { status: 'error', message: 'Internal server error' };
    expect((await peer.all(1)).at(-1)).toEqual({ err, isDisposed: true, id: 1 });
    expect(numbers().at(-1)).toBe(MANY - 1);
  });

  it('W4: close: the connection is closed, reason backpressure, and the stream is unsubscribed', async () => {
    const { connection, peer, server } = await publish(loops, 'close');
    await until(() => connection.state === 'closed');
    expect(connection.closeReason).toBe('backpressure');
    await until(() => finalized === 1);
    peer.read();
    await until(() => peer.peer.closed);
    expect(server.stats().handlers.pending).toBe(0);
  });

  it('W4: one that is behind does not hold up another', async () => {
    const { numbers, server } = await publish(loops, 'latest');
    const { port } = server.address() as { port: number };
    const second = await RpcPeer.connect(port);
    second.send({ pattern: 'subscribe', data: 'x', id: 1 });
    await until(() => subscribed === 2);
    const behind = numbers().length;
    for (let number = 0; number < 20; number++) source.next(number);
    await until(() => second.of(1).length === 21);
    expect(numbers().length).toBe(behind);
  });
});
