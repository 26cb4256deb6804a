import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import type { GevContext } from 'nestjs-gev';
import { createServer, type AddressInfo } from 'node:net';
import { finalize, firstValueFrom, interval, type Observable, Subject, takeUntil } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

let ended: string[] = [];
let begun: unknown[] = [];
/** Nest's own server goes on with a stream whose client is gone. */
const over = new Subject<void>();
afterEach(() => over.next());

@Controller()
class Slow {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('never')
  never(@Payload() data: unknown, @Ctx() { signal }: GevContext): Promise<never> {
    begun.push(data);
    signal.addEventListener('abort', () => ended.push(`aborted ${String(data)}`));
    return new Promise(() => undefined);
  }

  @MessagePattern('ticks')
  ticks(): Observable<number> {
    return interval(5).pipe(
      takeUntil(over),
      finalize(() => ended.push('finalized')),
    );
  }
}

describe.each([0, 2])('closing a client on %i loops', (loops) => {
  it.each([
    ['that has given up nothing before', false],
    ['whose server has told that it listens to that', true],
  ])('N8: its calls are cancelled at the server by one %s', async (_, experienced) => {
    [ended, begun] = [[], []];
    // One stream and three calls fit in; a handler that was given up keeps its place.
    const { port, server } = await serveRpc({ loops, drainTimeout: 100, concurrency: 4 }, Slow);
    const client = clientOf({ port, loops });
    if (experienced) {
      const given = new Subscriber(client.send('never', 0));
      await until(() => begun.length === 1);
      given.leave();
      await until(() => ended.length === 1);
      [ended, begun] = [[], []];
    }
    const ticks = new Subscriber(client.send('ticks', 1));
    const calls = [1, 2, 3, 4].map((data) => new Subscriber(client.send('never', data)));
    const started = experienced ? 2 : 3;
    await until(() => ticks.seen.length > 0 && begun.length === started);
    await client.close();
    await until(() => ended.length === started + 1 && server.stats().open === 0);
    expect([...ended].sort()).toEqual(
      [...begun.map((data) => `aborted ${String(data)}`), 'finalized'].sort(),
    );
    expect(begun).toHaveLength(started);
    expect(calls.map(({ last }) => last.code as unknown)).toEqual(Array(4).fill('ERR_GEV_CLIENT_CLOSED'));
  });

  it("N8: Nest's own server is not told, and logs nothing", async () => {
    @Module({ controllers: [Slow] })
    class AppModule {}
    const errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    onCleanup(() => errors.mockRestore());
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      ...{ transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } },
      logger: false,
    });
    onCleanup(() => app.close());
    await app.listen();
    const { port } = app.unwrap<ReturnType<typeof createServer>>().address() as AddressInfo;
    const client = clientOf({ port, loops });
    expect(await firstValueFrom(client.send('echo', 1))).toBe(1);
    const ticks = new Subscriber(client.send('ticks', 1));
    await until(() => ticks.seen.length > 0);
    await client.close();
    expect(ticks.last).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    expect(errors).not.toHaveBeenCalled();
  });

  it('N8: a server that does not answer delays the end by no more than a second or two', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onCleanup(() => silent.close());
    const client = clientOf({ port: (silent.address() as AddressInfo).port, loops });
    const call = new Subscriber(client.send('never', 1));
    await until(() => client.stats().inFlight === 1);
    await client.close();
    expect(call.last).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
  });
});
