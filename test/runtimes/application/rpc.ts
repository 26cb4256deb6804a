import { Controller, Injectable, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientTCP,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  ServerTCP,
  type ClientProxy,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { GevClient, GevContext, GevServer, type GevNetworkAddress } from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import assert from 'node:assert/strict';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { firstValueFrom, interval, lastValueFrom, take, toArray, type Observable } from 'rxjs';
import { onCleanup, step, until } from './steps.js';

/** What the service has seen. */
@Injectable()
class Journal {
  readonly lines: string[] = [];
}

const names = new AsyncLocalStorage<string>();

@Controller()
class MathController {
  constructor(private readonly journal: Journal) {}

  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((total, each) => total + each, 0);
  }

  @MessagePattern('slow')
  async slow(@Payload() ms: number): Promise<string> {
    this.journal.lines.push('slow');
    await pause(ms, undefined, { ref: false });
    return `after ${ms} ms`;
  }

  @MessagePattern('large')
  large(@Payload() text: string): string {
    return text + text;
  }

  @MessagePattern('fail')
  fail(): never {
    throw new Error('not to be told');
  }

  @MessagePattern('ticks')
  ticks(@Ctx() context: GevContext): Observable<number> {
    context.signal?.addEventListener('abort', () => this.journal.lines.push('ticks given up'));
    return interval(5);
  }

  /** Whom the message before has left its name. */
  @MessagePattern('name')
  name(@Payload() name: string): string {
    const before = names.getStore() ?? 'nobody';
    names.enterWith(name);
    return before;
  }

  @EventPattern('note')
  note(@Payload() text: string): void {
    this.journal.lines.push(text);
  }
}

@Module({ controllers: [MathController], providers: [Journal] })
class MathModule {}

/** A client of either kind. */
type Caller = Pick<ClientProxy, 'send' | 'emit'>;

interface Service {
  readonly app: INestMicroservice;
  readonly port: number;
  readonly lines: string[];
}

async function serve(strategy: GevServer | ServerTCP): Promise<Service> {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(MathModule, {
    strategy,
    logger: false,
    abortOnError: false,
  });
  onCleanup(() => app.close());
  await app.listen();
  const { lines } = app.get(Journal);
  if (strategy instanceof GevServer)
    return { app, lines, port: (strategy.address() as GevNetworkAddress).port };
  const { server } = strategy as unknown as { server: Server };
  return { app, lines, port: (server.address() as AddressInfo).port };
}

const gevServer = (): GevServer => new GevServer({ host: '127.0.0.1', port: 0 });

/** A client as an application has it. */
async function gevClient(port: number): Promise<ClientProxy> {
  const options = { host: '127.0.0.1', port };
  @Module({ imports: [ClientsModule.register([{ name: 'MATH', customClass: GevClient, options }])] })
  class CallerModule {}
  const caller = await NestFactory.createApplicationContext(CallerModule, {
    logger: false,
    abortOnError: false,
  });
  onCleanup(() => caller.close());
  return caller.get<ClientProxy>('MATH');
}

function nestClient(port: number): Caller {
  const client = new ClientTCP({ host: '127.0.0.1', port });
  onCleanup(() => client.close());
  return client;
}

async function converse(client: Caller, { lines }: Service): Promise<void> {
  const ask = (pattern: unknown, data: unknown) => firstValueFrom(client.send<unknown>(pattern, data));
  assert.equal(await ask({ cmd: 'sum' }, [1, 2, 3]), 6);
  const text = 'é漢😀'.repeat(50_000);
  assert.equal(await ask('large', text), text + text);
  await assert.rejects(ask('fail', 1), { message: 'Internal server error' });
  await assert.rejects(ask('nobody', 1), /no matching message handler/);
  await firstValueFrom(client.emit('note', 'heard'), { defaultValue: undefined });
  await until(() => lines.includes('heard'));
  const sums = Array.from({ length: 1_000 }, (_, i) => ask({ cmd: 'sum' }, [i, i]));
  assert.deepEqual(
    await Promise.all(sums),
    sums.map((_, i) => 2 * i),
  );
}

export async function tryRpc(): Promise<void> {
  await step('RPC of GevClient and GevServer', async () => {
    const service = await serve(gevServer());
    await converse(await gevClient(service.port), service);
  });

  await step("RPC of Nest's ClientTCP and GevServer", async () => {
    const service = await serve(gevServer());
    await converse(nestClient(service.port), service);
  });

  await step("RPC of GevClient and Nest's ServerTCP", async () => {
    const service = await serve(new ServerTCP({ host: '127.0.0.1', port: 0 }));
    await converse(await gevClient(service.port), service);
  });

  await step('a stream stops when its client has enough', async () => {
    const { port, lines } = await serve(gevServer());
    const ticks = (await gevClient(port)).send<number>('ticks', {});
    assert.deepEqual(await lastValueFrom(ticks.pipe(take(3), toArray())), [0, 1, 2]);
    await until(() => lines.includes('ticks given up'));
  });

  await step('each message has an asynchronous context of its own', async () => {
    const client = await gevClient((await serve(gevServer())).port);
    const seen = Array.from({ length: 50 }, (_, i) => firstValueFrom(client.send<string>('name', `${i}`)));
    assert.deepEqual([...new Set(await Promise.all(seen))], ['nobody']);
  });

  await step('a lost service fails calls in flight, and the next one is served again', async () => {
    const { app, port, lines } = await serve(new GevServer({ host: '127.0.0.1', port: 0, drainTimeout: 50 }));
    const client = await gevClient(port);
    const call = firstValueFrom(client.send('slow', 60_000));
    const failed = assert.rejects(call);
    await until(() => lines.includes('slow'));
    await app.close();
    await failed;
    await serve(new GevServer({ host: '127.0.0.1', port }));
    assert.equal(await firstValueFrom(client.send<number>({ cmd: 'sum' }, [4, 5])), 9);
  });

  await step('a service that closes answers what is in flight', async () => {
    const { app, port, lines } = await serve(gevServer());
    const client = await gevClient(port);
    const call = firstValueFrom(client.send('slow', 200));
    await until(() => lines.includes('slow'));
    const closed = app.close();
    assert.equal(await call, 'after 200 ms');
    await closed;
  });
}
