import { describe, expect, it } from '@jest/globals';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { finalize, interval, type Observable } from 'rxjs';
import { Child } from '../kit/child.js';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { nestClient, type Packet, RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, settled, until } from '../kit/until.js';

const GO_AWAY = { pattern: 'gev:goaway', data: {} };
const SHUTDOWN = { status: 'error', message: 'The server is shutting down' };
let log: string[] = [];
let inFlight = 0;
let release: (() => void)[] = [];

@Controller()
class Work {
  @MessagePattern('slow')
  async slow(@Payload() data: number): Promise<number> {
    inFlight++;
    await pause(100 + (data % 7) * 20);
    return data;
  }

  @MessagePattern('held')
  async held(@Payload() data: string): Promise<string> {
    inFlight++;
    await new Promise<void>((resolve) => release.push(resolve));
    log.push(`${data} ends`);
    return data;
  }

  @MessagePattern('ticks')
  ticks(@Payload() every: number): Observable<number> {
    inFlight++;
    return interval(every).pipe(finalize(() => log.push('finalized')));
  }

  @EventPattern('held event')
  async event(@Payload() data: string): Promise<void> {
    inFlight++;
    await new Promise<void>((resolve) => release.push(resolve));
    log.push(`${data} ends`);
  }
}

@Module({ controllers: [Work] })
class WorkModule {}

/** 1,000 requests over 10 connections, all of them with their handlers. */
async function thousand(port: number, busy: () => unknown): Promise<RpcPeer[]> {
  const peers = await Promise.all(Array.from({ length: 10 }, () => RpcPeer.connect(port)));
  for (const peer of peers) {
    peer.send(...Array.from({ length: 100 }, (_, id) => ({ pattern: 'slow', data: id, id })));
  }
  await until(busy, '1,000 requests are in flight');
  return peers;
}

/** Every one of them was answered, and then came FIN. */
async function expectAllAnswered(peers: readonly RpcPeer[]): Promise<void> {
  for (const { peer, packets } of peers) {
    await until(() => peer.closed);
    expect(peer.events).toEqual(['end', 'close']);
    const replies = packets.filter(({ id }) => id !== undefined);
    const sorted = replies.sort((a, b) => (a.id as number) - (b.id as number));
    expect(sorted).toEqual(
      Array.from({ length: 100 }, (_, id): Packet => ({ response: id, isDisposed: true, id })),
    );
  }
}

describe.each([0, 2])('the shutdown of an RPC server on %i loops', (loops) => {
  const start = (options = {}) => {
    [log, inFlight, release] = [[], 0, []];
    return serveRpc({ loops, ...options }, Work);
  };

  it('S8: 1,000 requests in flight are answered, then every peer gets FIN', async () => {
    const service = await start();
    const peers = await thousand(service.port, () => inFlight === 1_000);
    await service.close();
    expect(service.server.connections.size).toBe(0);
    await expectAllAnswered(peers);
    expect(service.server.stats().handlers.lateReplies).toBe(0);
  });

  it('S8: so are requests that the kernel holds and nobody has seen', async () => {
    const service = await start();
    const peer = await RpcPeer.connect(service.port);
    await service.connection();
    const text = Array.from({ length: 100 }, (_, id) => `{"pattern":"slow","data":${id},"id":${id}}`);
    await new Promise<void>((resolve) =>
      peer.peer.socket.write(text.map((each) => `${each.length}#${each}`).join(''), () => resolve()),
    );
    await service.close();
    await expectAllAnswered([peer]);
  });

  it('S8: an endless stream and a request without end are told at drainTimeout', async () => {
    const service = await start({ drainTimeout: 300, streamDrainTimeout: 60_000 });
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'ticks', data: 5, id: 's' }, { pattern: 'held', data: 'x', id: 'r' });
    peer.send({ pattern: 'slow', data: 1, id: 'ok' });
    await until(() => inFlight === 3 && peer.of('s').length > 0);
    const started = performance.now();
    const before = peer.of('s').length;
    let ended = false;
    void service.close().then(() => (ended = true));
    await until(() => ended, 'it ends at drainTimeout', 5_000);
    expect(performance.now() - started).toBeGreaterThan(250);
    await until(() => peer.peer.closed);
    expect(peer.of('ok')).toEqual([{ response: 1, isDisposed: true, id: 'ok' }]);
    expect(peer.of('r')).toEqual([{ err: SHUTDOWN, isDisposed: true, id: 'r' }]);
    expect(peer.of('s').at(-1)).toEqual({ err: SHUTDOWN, isDisposed: true, id: 's' });
    expect(peer.of('s').length).toBeGreaterThan(before + 1); // it went on meanwhile
    expect(log).toEqual(['finalized']);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('S8, D2: while it drains, nobody connects, and requests of those who are there are answered', async () => {
    const service = await start();
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'held', data: 'first', id: 1 });
    await until(() => inFlight === 1);
    const closed = service.close();
    let refused = false;
    while (!refused) {
      refused = await Peer.connect(service.port).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      );
    }
    peer.send({ pattern: 'held', data: 'second', id: 2 });
    await until(() => inFlight === 2);
    release.forEach((each) => each());
    await closed;
    await until(() => peer.peer.closed);
    expect(peer.of(undefined)).toEqual([GO_AWAY]);
    expect(peer.packets.filter(({ id }) => id !== undefined)).toEqual([
      { response: 'first', isDisposed: true, id: 1 },
      { response: 'second', isDisposed: true, id: 2 },
    ]);
    expect(log).toEqual(['first ends', 'second ends']);
  });

  it('S8: close() waits for events, and for those whose sender has gone', async () => {
    const service = await start();
    const peers = await Promise.all([1, 2].map(() => RpcPeer.connect(service.port)));
    peers[0]!.send({ pattern: 'held event', data: 'event' });
    peers[1]!.send({ pattern: 'held event', data: 'orphan' });
    await until(() => inFlight === 2);
    peers[1]!.peer.reset();
    await until(() => service.server.connections.size === 1);
    let done = false;
    const closed = service.close().then(() => (done = true));
    await until(() => peers[0]!.peer.closed);
    for (let index = 0; index < 2; index++) {
      await settled(() => Number(done), 20);
      expect(done).toBe(false);
      release[index]!();
    }
    await closed;
    expect(log.sort()).toEqual(['event ends', 'orphan ends']);
  });

  it('S8: no handler runs after it', async () => {
    const service = await start({ drainTimeout: 100 });
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'ticks', data: 1, id: 's' }, { pattern: 'held', data: 'x', id: 'r' });
    await until(() => inFlight === 2);
    const client = nestClient(service.port);
    await client.connect();
    await service.close();
    const count = [inFlight, peer.packets.length];
    client.emit('held event', 'late').subscribe({ error: () => undefined });
    peer.send({ pattern: 'slow', data: 1, id: 'late' });
    await settled(() => inFlight + peer.packets.length, 50);
    expect([inFlight, peer.packets.length]).toEqual(count);
  });

  it('S8: a hybrid application answers what is in flight, too', async () => {
    [log, inFlight, release] = [[], 0, []];
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0 });
    const app = await NestFactory.create(WorkModule, { logger: false });
    onCleanup(() => app.close());
    app.connectMicroservice<MicroserviceOptions>({ strategy: server });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const { port } = server.address() as { port: number };
    const peers = await thousand(port, () => inFlight === 1_000);
    await app.close();
    await expectAllAnswered(peers);
  });

  it.each([
    ['a microservice', false],
    ['a hybrid application', true],
  ])('S8: SIGTERM with shutdown hooks: %s loses none of 1,000 requests in flight', async (_, hybrid) => {
    const child = Child.rpc({ loops }, { hybrid });
    const { port } = (await child.report('port')) as { port: number };
    const peers = await thousand(port, () => child.lines.includes('{"busy":true}'));
    child.kill('SIGTERM');
    await expectAllAnswered(peers);
    expect(await child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(child.errors).toEqual([]);
    const order = child.lines.filter((line) => line.includes('hook')).map((line) => JSON.parse(line).hook);
    expect(order).toEqual(
      hybrid
        ? ['onModuleDestroy', 'beforeApplicationShutdown', 'server closed', 'onApplicationShutdown']
        : order,
    );
    expect(order.at(-1)).toBe('onApplicationShutdown');
    expect(order).toContain('server closed');
  });

  it('S8: SIGTERM ends a process with an endless stream at drainTimeout', async () => {
    const child = Child.rpc({ loops, drainTimeout: 300 });
    const { port } = (await child.report('port')) as { port: number };
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'ticks', data: 5, id: 1 });
    await until(() => peer.packets.length > 2);
    child.kill('SIGTERM');
    expect(await child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(peer.packets.at(-1)).toEqual({ err: SHUTDOWN, isDisposed: true, id: 1 });
  });
});
