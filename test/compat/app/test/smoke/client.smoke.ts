import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  ServerTCP,
  type BaseRpcContext,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { GevClient, GevRecordBuilder, GevServer, type GevNetworkAddress } from 'nestjs-gev';
import assert from 'node:assert/strict';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import { firstValueFrom, interval, lastValueFrom, of, take, toArray, type Observable } from 'rxjs';

const events: unknown[] = [];

@Controller()
class MathController {
  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @MessagePattern('count')
  count(@Payload() to: number): Observable<number> {
    return of(...Array.from({ length: to }, (_, index) => index));
  }

  @MessagePattern('ticks')
  ticks(): Observable<number> {
    return interval(2).pipe(take(500));
  }

  @MessagePattern('fail')
  fail(): never {
    throw new RpcException('no');
  }

  @MessagePattern('pattern')
  pattern(@Ctx() context: BaseRpcContext & { getPattern(): string }): string {
    return context.getPattern();
  }

  @EventPattern('note')
  note(@Payload() data: unknown): void {
    events.push(data);
  }
}

@Module({ controllers: [MathController] })
class MathModule {}

function portOf(server: GevServer | ServerTCP): number {
  if (server instanceof GevServer) return (server.address() as GevNetworkAddress).port;
  // Nest 11 and 12 agree on what it is, if not on its name.
  return ((server as unknown as { server: Server }).server.address() as AddressInfo).port;
}

const options = { host: '127.0.0.1', port: 0 };
for (const make of [() => new GevServer(options), () => new ServerTCP(options)]) {
  for (const loops of [0, 1]) {
    const strategy = make();
    void test(`a client on ${loops} loop threads and a ${strategy.constructor.name}`, async () => {
      const app = await NestFactory.createMicroservice<MicroserviceOptions>(MathModule, {
        strategy,
        logger: false,
      });
      await app.listen();
      const where = { host: '127.0.0.1', port: portOf(strategy), loops };
      @Module({
        imports: [ClientsModule.register([{ name: 'MATH', customClass: GevClient, options: where }])],
      })
      class CallerModule {}
      const caller = await NestFactory.createApplicationContext(CallerModule, { logger: false });
      const client = caller.get<ClientProxy>('MATH');
      try {
        assert.equal(await firstValueFrom(client.send<number>({ cmd: 'sum' }, [1, 2, 3])), 6);
        assert.deepEqual(await lastValueFrom(client.send<number>('count', 3).pipe(toArray())), [0, 1, 2]);
        assert.equal(await firstValueFrom(client.send<number>('ticks', 1)), 0);
        assert.equal(await firstValueFrom(client.send<string>('pattern', 1)), 'pattern');
        await assert.rejects(firstValueFrom(client.send('fail', 1)), { message: 'no' });
        const none = await firstValueFrom(client.send('none', 1)).catch((error: unknown) => error);
        assert.match(String(none), /no matching message handler/);
        await assert.rejects(firstValueFrom(client.send('sum', null)), /invalid data or message pattern/);
        const late = new GevRecordBuilder(1).setMetadata({ trace: 'a' }).setTimeout(5_000).build();
        assert.equal(await firstValueFrom(client.send<string>('pattern', late)), 'pattern');
        events.length = 0;
        await firstValueFrom(client.emit('note', 'heard'), { defaultValue: undefined });
        assert.equal(await firstValueFrom(client.send<number>({ cmd: 'sum' }, [1])), 1);
        assert.deepEqual(events, ['heard']);
      } finally {
        await caller.close();
        await app.close();
      }
    });
  }
}
