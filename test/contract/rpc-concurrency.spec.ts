import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { interval, type Observable } from 'rxjs';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, settled, until } from '../kit/until.js';

let started: unknown[] = [];
let atWork = 0;
let most = 0;
let release: (() => void)[] = [];

@Controller()
class Workshop {
  @MessagePattern('slow')
  async slow(@Payload() data: number): Promise<number> {
    most = Math.max(most, ++atWork);
    await pause(5);
    atWork--;
    return data;
  }

  @MessagePattern('held')
  held(@Payload() data: unknown): Promise<string> {
    started.push(data);
    return new Promise((resolve) => release.push(() => resolve('done')));
  }

  @MessagePattern('ticks')
  ticks(): Observable<number> {
    return interval(2);
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    started.push(data);
  }
}

describe.each([0, 2])('RPC in flight on %i loops', (loops) => {
  const serveWorkshop = (concurrency: number, drainTimeout = 10_000) => {
    [started, release, atWork, most] = [[], [], 0, 0];
    return serveRpc({ loops, concurrency, drainTimeout }, Workshop);
  };

  it('C6: with concurrency 4, of 100 requests no more than 4 are at work, and all are answered', async () => {
    const { port } = await serveWorkshop(4);
    const peer = await RpcPeer.connect(port);
    const ids = Array.from({ length: 100 }, (_, index) => String(index));
    peer.send(...ids.map((id) => ({ pattern: 'slow', data: Number(id), id })));
    await until(() => peer.packets.length === 100);
    expect(peer.packets.map(({ response }) => response as number).sort((a, b) => a - b)).toEqual(
      ids.map(Number),
    );
    expect(most).toBe(4);
  });

  it('R6: packets beyond the cap and the queue wait in the kernel, and none is lost', async () => {
    const { port, server } = await serveWorkshop(1);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'held', data: 0, id: 'held' });
    const text = 'x'.repeat(16 * 1024);
    const count = 2_000; // 32 MiB, far more than may wait
    for (let index = 0; index < count; index++) peer.send({ pattern: 'event', data: index, text });
    await until(() => started.length === 1 && server.stats().handlers.pending > 1);
    expect(await settled(() => server.stats().handlers.pending, 100)).toBeLessThan(count / 2);
    release[0]!();
    await until(() => started.length === count + 1);
    expect(started).toEqual([0, ...Array.from({ length: count }, (_, index) => index)]);
  });

  it('L3: a cancellation is heard although the connection has all the calls in flight that it may', async () => {
    const { port, server } = await serveWorkshop(1);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'ticks', data: 0, id: 'a' }, { pattern: 'held', data: 'waits', id: 'b' });
    await until(() => peer.of('a').length > 2);
    expect(started).toEqual([]);
    peer.send({ pattern: 'gev:cancel', data: 'a' });
    await until(() => started.length === 1);
    release[0]!();
    expect(await peer.all('b')).toEqual([{ response: 'done', isDisposed: true, id: 'b' }]);
    await until(() => server.stats().handlers.pending === 0);
  });

  it('L3: a request that is cancelled while it waits never begins', async () => {
    const { port, server } = await serveWorkshop(1);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'held', data: 1, id: 'a' }, { pattern: 'held', data: 2, id: 'b' });
    peer.send({ pattern: 'gev:cancel', data: 'b' }, { pattern: 'slow', data: 3, id: 'c' });
    await until(() => server.stats().handlers.pending === 3);
    release[0]!();
    await peer.all('c');
    expect(peer.packets.map(({ id }) => id)).toEqual(['a', 'c']);
    expect(started).toEqual([1]);
  });

  it('S8: what waited for a place on a connection that was reset is forgotten', async () => {
    const { port, server } = await serveWorkshop(1);
    const peer = await RpcPeer.connect(port);
    for (let id = 0; id < 5; id++) peer.send({ pattern: 'held', data: id, id });
    await until(() => server.stats().handlers.pending === 5);
    peer.peer.reset();
    await until(() => server.connections.size === 0);
    release[0]!();
    await until(() => server.stats().handlers.pending === 0);
    await settled(() => started.length, 20);
    expect(started).toEqual([0]);
  });

  it('K2: who asks whether somebody is there is answered, however many requests wait', async () => {
    const { port } = await serveWorkshop(1, 200);
    const peer = await RpcPeer.connect(port);
    for (let id = 0; id < 5; id++) peer.send({ pattern: 'held', data: id, id });
    peer.send({ pattern: 'gev:hello', data: {}, id: 'hello' });
    expect(await peer.all('hello')).toEqual([{ response: { cancel: 1 }, isDisposed: true, id: 'hello' }]);
  });

  it('S8: at drainTimeout requests that wait are told, and their handlers do not begin', async () => {
    const service = await serveWorkshop(1, 200);
    const peer = await RpcPeer.connect(service.port);
    for (let id = 0; id < 5; id++) peer.send({ pattern: 'held', data: id, id });
    peer.send({ pattern: 'event', data: 'event' });
    await until(() => service.server.stats().handlers.pending === 6);
    await service.close();
    const err = { status: 'error', message: 'The server is shutting down' };
    await until(() => peer.peer.closed);
    // What was not begun may be sent again.
    const notBegun = { err: { ...err, retryable: true }, isDisposed: true, status: 'gev:not-begun' };
    const errors = [{ err, isDisposed: true }, ...Array<object>(4).fill(notBegun)];
    expect(peer.packets.slice(1)).toEqual(errors.map((error, id) => ({ ...error, id })));
    expect(started).toEqual([0]);
  });
});
