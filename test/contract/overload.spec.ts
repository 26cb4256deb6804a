import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { type GevClient, GevOverloadedError } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

let client: GevClient;
let started: unknown[] = [];
let release: (() => void)[] = [];

@Controller()
class Service {
  /** Answers once the same service has answered all the calls below it. */
  @MessagePattern('nested')
  async nested(@Payload() depth: number): Promise<number> {
    return depth === 0 ? 0 : 1 + (await firstValueFrom(client.send<number>('nested', depth - 1)));
  }

  @MessagePattern('held')
  held(@Payload() data: unknown): Promise<unknown> {
    started.push(data);
    return new Promise((resolve) => release.push(() => resolve(data)));
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    started.push(data);
  }
}

const OVERLOADED = {
  status: 'error',
  message: 'The server is overloaded',
  code: 'ERR_GEV_OVERLOADED',
  retryable: true,
};

describe.each([0, 1])('a server on %i threads with more requests than it takes', (loops) => {
  const serve = (options: object) => {
    [started, release] = [[], []];
    return serveRpc({ loops, ...options }, Service);
  };

  it('M4: has no limit by default, so that 1,100 handlers that call their own service are answered', async () => {
    const { port } = await serve({});
    client = clientOf({ port });
    const calls = Array.from({ length: 1_100 }, () => new Subscriber(client.send('nested', 1)));
    await until(() => calls.every((call) => call.last === 'end'));
    expect(calls.every(({ seen }) => seen[0] === 1)).toBe(true);
    expect(client.stats()).toMatchObject({ inFlight: 0, bufferedBytes: 0 });
  });

  it('M4: ends a cycle of calls that its limit has closed by telling those who wait', async () => {
    const { port, server, lines } = await serve({ concurrency: 4 });
    client = clientOf({ port });
    const calls = Array.from({ length: 8 }, () => new Subscriber(client.send('nested', 1)));
    await until(() => calls.every((call) => call.seen.length > 0));
    const refused = calls.filter(({ last }) => last instanceof GevOverloadedError);
    expect(refused).toHaveLength(4);
    expect(refused[0]!.last).toMatchObject({ code: 'ERR_GEV_OVERLOADED', retryable: true });
    expect(server.stats().handlers).toMatchObject({ inFlight: 0, overloaded: 8 });
    expect(lines.filter((line) => line.includes('was refused')).length).toBeLessThan(3);
  });

  it('M4: holds requests of all connections to maxInFlight, and gives places to those who wait in turn', async () => {
    const { port, server } = await serve({ maxInFlight: 2 });
    const [first, second, third] = [
      await RpcPeer.connect(port),
      await RpcPeer.connect(port),
      await RpcPeer.connect(port),
    ];
    for (const id of ['a1', 'a2', 'a3', 'a4']) first.send({ pattern: 'held', data: id, id });
    await until(() => server.stats().handlers.pending === 4);
    second.send({ pattern: 'held', data: 'b1', id: 'b1' }, { pattern: 'held', data: 'b2', id: 'b2' });
    await until(() => server.stats().handlers.pending === 6);
    third.send({ pattern: 'held', data: 'c1', id: 'c1' });
    await until(() => server.stats().handlers.pending === 7);
    for (let count = 3; count <= 7; count++) {
      expect(server.stats().handlers.inFlight).toBe(2);
      release.shift()!();
      await until(() => started.length === count);
    }
    expect(started.slice(0, 2)).toEqual(['a1', 'a2']);
    expect([...started.slice(2, 5)].sort()).toEqual(['a3', 'b1', 'c1']);
    while (release.length > 0) release.shift()!();
    await until(() => server.stats().handlers.pending === 0);
    expect(server.stats().handlers.overloaded).toBe(0);
  });

  it('M4: answers those who wait once no call has ended for two seconds, in order; events are handled', async () => {
    const { port, server } = await serve({ maxInFlight: 1 });
    const peer = await RpcPeer.connect(port);
    const from = performance.now();
    peer.send({ pattern: 'held', data: 'a', id: 'a' }, { pattern: 'held', data: 'b', id: 'b' });
    peer.send({ pattern: 'event', data: 'event' }, { pattern: 'held', data: 'c', id: 'c' });
    await until(() => peer.packets.length === 2);
    expect(performance.now() - from).toBeGreaterThan(1_900);
    expect(peer.packets).toEqual(
      ['b', 'c'].map((id) => ({ err: OVERLOADED, isDisposed: true, id, status: 'gev:not-begun' })),
    );
    expect(started).toEqual(['a', 'event']);
    release[0]!();
    expect(await peer.all('a')).toEqual([{ response: 'a', isDisposed: true, id: 'a' }]);
    expect(server.stats().handlers).toMatchObject({ inFlight: 0, overloaded: 2 });
  });
});
