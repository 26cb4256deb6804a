import 'reflect-metadata';
import { Controller, Injectable, Module, ParseIntPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientTCP,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { GevContext, GevServer, type GevNetworkAddress } from 'nestjs-gev';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstValueFrom, interval, lastValueFrom, map, take, toArray, type Observable } from 'rxjs';

const nest12 = process.env.NEST_MAJOR === '12';

@Injectable()
class Journal {
  readonly lines: string[] = [];
}

@Controller()
class Calculator {
  constructor(private readonly journal: Journal) {}

  @MessagePattern({ cmd: 'sum', of: 'numbers' })
  async sum(@Payload() numbers: number[]): Promise<number> {
    await Promise.resolve();
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('count')
  count(@Payload(ParseIntPipe) to: number): Observable<string> {
    return interval(1).pipe(
      take(to),
      map((number) => `${number} é漢😀`),
    );
  }

  @MessagePattern('fail')
  fail(@Payload() how: string): never {
    throw how === 'rpc' ? new RpcException({ code: 7 }) : new Error('secret');
  }

  @MessagePattern('metadata')
  metadata(@Payload() _data: string, @Ctx() context: GevContext): unknown {
    return context.getMetadata() ?? 'none';
  }

  @EventPattern('note')
  note(@Payload() text: string): void {
    this.journal.lines.push(`first ${text}`);
  }

  @EventPattern('note')
  again(@Payload() text: string): void {
    this.journal.lines.push(`second ${text}`);
  }
}

@Module({ controllers: [Calculator], providers: [Journal] })
class AppModule {}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `in time: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (const loops of [0, 2]) {
  void test(`this Nest's ClientTCP talks to the server on ${loops} loops`, async () => {
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0 });
    const hooks: string[] = [];
    server.setOnProcessingStartHook((_transport, context, done) => {
      hooks.push(`start ${(context as GevContext).getPattern()}`);
      void done();
    });
    server.setOnProcessingEndHook((_transport, context) => {
      hooks.push(`end ${(context as GevContext).getPattern()}`);
    });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      strategy: server,
      logger: false,
    });
    await app.listen();
    const { port } = server.address() as GevNetworkAddress;
    const client = new ClientTCP({ host: '127.0.0.1', port });
    const ask = (pattern: unknown, data: unknown) => firstValueFrom(client.send<unknown>(pattern, data));
    try {
      assert.equal(await ask({ of: 'numbers', cmd: 'sum' }, [1, 2, 3]), 6);
      assert.deepEqual(hooks, ['start {"of":"numbers","cmd":"sum"}', 'end {"of":"numbers","cmd":"sum"}']);
      assert.deepEqual(await lastValueFrom(client.send('count', '3').pipe(toArray())), [
        '0 é漢😀',
        '1 é漢😀',
        '2 é漢😀',
      ]);
      assert.deepEqual(hooks.slice(2), ['start count', 'end count']);

      await assert.rejects(ask('fail', 'rpc'), { code: 7 });
      await assert.rejects(ask('fail', 'plain'), { status: 'error', message: 'Internal server error' });
      await assert.rejects(ask('nobody', 1), /no matching message handler/);

      await firstValueFrom(client.emit('note', 'é'), { defaultValue: undefined });
      const { lines } = app.get(Journal);
      await until(() => lines.length === 2);
      assert.deepEqual(lines, ['first é', 'second é']);
      assert.equal(hooks.filter((hook) => hook === 'end note').length, 1);

      assert.equal(await ask('metadata', 'x'), 'none');
      type Dispatch = (packet: { metadata?: unknown }) => void;
      const { setOnDispatchHook } = client as unknown as { setOnDispatchHook?: (hook: Dispatch) => void };
      assert.equal(setOnDispatchHook !== undefined, nest12);
      setOnDispatchHook?.call(client, (packet) => (packet.metadata = { trace: 1 }));
      assert.deepEqual(await ask('metadata', 'x'), nest12 ? { trace: 1 } : 'none');

      const request = ask('count', '20');
      await until(() => hooks.filter((hook) => hook === 'start count').length === 2);
      const closed = app.close();
      assert.equal(await request, '0 é漢😀');
      client.close();
      await closed;
    } finally {
      client.close();
      await app.close();
    }
  });
}
