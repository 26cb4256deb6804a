// The cases of the end-to-end tests that Nest has of its own TCP transport, with our server in place of it: an HTTP
// application asks, through the client that ClientsModule gives it, a microservice.
import { describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Module,
  Post,
  Query,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  ClientTCP,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { catchError, delay, from, lastValueFrom, map, of, reduce, type Observable } from 'rxjs';
import { descriptors } from '../kit/process-stats.js';
import { onCleanup } from '../kit/cleanup.js';
import { frame, nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, settled, until } from '../kit/until.js';

const KiB = 1024;
let notified: unknown[] = [];
let handled = 0;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

class NoSuchAccount extends RpcException {
  constructor(readonly account: string) {
    super({ kind: 'NoSuchAccount', account });
  }
}

@Controller()
class Microservice {
  @MessagePattern({ cmd: 'sum' })
  sum(@Payload() numbers: number[]): number {
    handled++;
    return sum(numbers);
  }

  @MessagePattern({ cmd: 'async' })
  async later(@Payload() numbers: number[]): Promise<number> {
    await pause(2);
    return sum(numbers);
  }

  @MessagePattern({ cmd: 'observable' })
  observable(@Payload() numbers: number[]): Observable<number> {
    return of(sum(numbers)).pipe(delay(1));
  }

  @MessagePattern({ cmd: 'streaming' })
  streaming(@Payload() numbers: number[]): Observable<number> {
    return from(numbers);
  }

  @MessagePattern({ cmd: 'account' })
  account(@Payload() name: string): never {
    throw new NoSuchAccount(name);
  }

  @MessagePattern('text')
  text(@Payload() length: number): string {
    handled++;
    return 'x'.repeat(length);
  }

  @EventPattern('notification')
  notification(@Payload() data: unknown): void {
    notified.push(data);
  }
}

class AccountError extends Error {}

/** A client of the application's own. */
class CustomClient extends ClientTCP {
  protected override serializeError(error: { kind?: string; account?: string }): unknown {
    return error.kind === 'NoSuchAccount' ? new AccountError(error.account) : error;
  }
}

@Controller()
class Gateway {
  constructor(
    @Inject('SERVICE') private readonly client: ClientProxy,
    @Inject('CUSTOM') private readonly custom: ClientProxy,
  ) {}

  @Post()
  @HttpCode(200)
  call(@Query('command') command: string, @Body() data: number[]): Observable<number> {
    return this.client.send<number>({ cmd: command }, data);
  }

  @Post('stream')
  @HttpCode(200)
  stream(@Body() data: number[]): Observable<number> {
    return this.client.send<number>({ cmd: 'streaming' }, data).pipe(reduce((a, b) => a + b));
  }

  /** Whether each of many requests that are under way at once gets its own reply. */
  @Post('concurrent')
  @HttpCode(200)
  async concurrent(@Body() lists: number[][]): Promise<boolean> {
    const one = async (numbers: number[], index: number): Promise<boolean> => {
      const command = ['sum', 'async', 'observable'][index % 3];
      return (await lastValueFrom(this.client.send<number>({ cmd: command }, numbers))) === sum(numbers);
    };
    return (await Promise.all(lists.map(one))).every((right) => right);
  }

  @Post('notify')
  notify(@Body() data: object): Observable<unknown> {
    return this.client.emit('notification', data);
  }

  @Get('unknown')
  unknown(): Observable<string> {
    return this.client
      .send<string>({ cmd: 'unknown' }, {})
      .pipe(catchError((error) => of(`error: ${error}`)));
  }

  @Get('account')
  account(): Observable<string> {
    return this.custom.send<string>({ cmd: 'account' }, 'smith').pipe(
      map(() => 'no error'),
      catchError((error) => of(`${error.constructor.name} ${error.message}`)),
    );
  }
}

describe.each([0, 2])("the cases of Nest's own tests on %i loops", (loops) => {
  async function start() {
    [notified, handled] = [[], 0];
    const service = await serveRpc({ loops }, Microservice);
    const options = { host: '127.0.0.1', port: service.port };
    @Module({
      imports: [
        ClientsModule.register([
          { name: 'SERVICE', transport: Transport.TCP, options },
          { name: 'CUSTOM', customClass: CustomClient as unknown as Type<ClientProxy>, options },
        ]),
      ],
      controllers: [Gateway],
    })
    class GatewayModule {}
    const app: INestApplication = await NestFactory.create(GatewayModule, { logger: false });
    onCleanup(() => app.close());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const post = async (path: string, body: unknown): Promise<string> => {
      const headers = { 'content-type': 'application/json' };
      return (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).text();
    };
    const get = async (path: string): Promise<string> => (await fetch(url + path)).text();
    return { service, app, post, get };
  }

  it.each(['sum', 'async', 'observable'])('P2: %s', async (command) => {
    const { post } = await start();
    expect(await post(`/?command=${command}`, [1, 2, 3, 4, 5])).toBe('15');
  });

  it('P2: streaming', async () => {
    const { post } = await start();
    expect(await post('/stream', [1, 2, 3, 4, 5])).toBe('15');
  });

  it('P2: concurrent requests', async () => {
    const { post } = await start();
    const lists = Array.from({ length: 30 }, (_, index) => Array.from({ length: index + 1 }, (__, n) => n));
    expect(await Promise.all([1, 2, 3].map(() => post('/concurrent', lists)))).toEqual([
      'true',
      'true',
      'true',
    ]);
  });

  it('P2: an unknown pattern, a custom error class', async () => {
    const { get } = await start();
    expect(await get('/unknown')).toBe(
      'error: There is no matching message handler defined in the remote service.',
    );
    expect(await get('/account')).toBe('AccountError smith');
  });

  it('P2: events', async () => {
    const { post } = await start();
    await post('/notify', { a: 'é漢😀' });
    await until(() => notified.length === 1);
    expect(notified).toEqual([{ a: 'é漢😀' }]);
  });

  it('S8: shutdown leaves no socket and runs no handler afterwards', async () => {
    const { service, post } = await start();
    expect(await post('/?command=sum', [1])).toBe('1');
    const peer = await RpcPeer.connect(service.port);
    await until(() => service.server.connections.size === 2);
    const before = await settled(() => descriptors());
    await service.close();
    expect(service.server.connections.size).toBe(0);
    await until(() => peer.peer.closed);
    peer.send({ pattern: { cmd: 'sum' }, data: [1], id: 1 });
    expect(await post('/?command=sum', [1])).toContain('500');
    await until(() => descriptors() <= before - 3, 'listener and sockets are closed');
    expect(handled).toBe(1);
  });

  it('R4: a peer that stalls amid a packet is dropped; one that goes on slowly is not', async () => {
    const { server, port } = await serveRpc({ loops, incompleteMessageTimeout: 300 }, Microservice);
    const packet = frame({ pattern: { cmd: 'sum' }, data: [1, 2], id: 1, padding: 'x'.repeat(32 * KiB) });
    const [stalled, digits, quiet, slow] = await Promise.all([1, 2, 3, 4].map(() => RpcPeer.connect(port)));
    stalled!.peer.write(packet.slice(0, -5));
    digits!.peer.write('1');
    const bytes = Buffer.from(packet);
    const started = performance.now();
    for (let index = 0; index < bytes.length; index += KiB) {
      slow!.peer.write(bytes.subarray(index, index + KiB));
      await pause(20);
    }
    expect(performance.now() - started).toBeGreaterThan(600);
    expect(await slow!.all(1)).toEqual([{ response: 3, isDisposed: true, id: 1 }]);
    await until(() => stalled!.peer.closed && digits!.peer.closed);
    expect(quiet!.peer.closed).toBe(false);
    expect(server.connections.size).toBe(2);
  });

  it('W4: a peer that asks and never reads is no longer read from, and served when it reads', async () => {
    const { connections, port } = await serveRpc({ loops, highWaterMark: 256 * KiB }, Microservice);
    const peer = await RpcPeer.connect(port);
    peer.peer.pause();
    handled = 0;
    const count = 3_000; // 30 MiB of replies
    for (let id = 0; id < count; id++) peer.send({ pattern: 'text', data: 10 * KiB, id });
    await until(() => (connections[0]?.bufferedBytes ?? 0) > 256 * KiB);
    expect(await settled(() => handled)).toBeLessThan(count);
    peer.read();
    await until(() => peer.packets.length === count);
    expect(peer.packets.map(({ id }) => id)).toEqual(Array.from({ length: count }, (_, id) => id));
  });

  it('W4: what waits for a peer is bounded by maxSendBuffer: it is dropped then', async () => {
    const { connections, port } = await serveRpc(
      { loops, highWaterMark: 64 * KiB, maxSendBufferSize: 512 * KiB },
      Microservice,
    );
    const peer = await RpcPeer.connect(port);
    peer.peer.pause();
    // Replies stop by themselves at the high-water mark, pushes do not.
    await until(() => connections.length === 1);
    const push = JSON.stringify({ data: 'x'.repeat(400 * KiB) });
    for (let count = 0; count < 20; count++) connections[0]!.trySend(push);
    await until(() => connections[0]!.state === 'closed');
    expect(connections[0]!.closeReason).toBe('backpressure');
  });

  it('W4: a client that asks for more than maxSendBuffer at once, and reads, gets all of it', async () => {
    const { port, connections } = await serveRpc(
      { loops, highWaterMark: 64 * KiB, maxSendBuffer: 2048 * KiB },
      Microservice,
    );
    const client = nestClient(port);
    await client.connect();
    const lengths = await Promise.all(
      Array.from({ length: 5_000 }, async () => {
        const text = await lastValueFrom(client.send<string>('text', 10_000)); // 50 MB in all
        return text.length;
      }),
    );
    expect(lengths.filter((length) => length === 10_000)).toHaveLength(5_000);
    expect(connections).toHaveLength(1);
  });
});
