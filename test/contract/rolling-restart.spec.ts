import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { GevClient, GevClientOptions, GevServerOptions } from 'nestjs-gev';
import { catchError, lastValueFrom, type Observable, of } from 'rxjs';
import { clientOf } from '../kit/rpc-client.js';
import { Peer } from '../kit/peer.js';
import { nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { serveRpc as serveNest } from '../kit/rpc-service.js';
import { serve, type Service } from '../kit/serve.js';
import { pause, until } from '../kit/until.js';

/** How often each request and event was handled. */
let handled = new Map<string, number>();

@Controller()
class Counted {
  @MessagePattern('work')
  async work(@Payload() { id, ms }: { id: string; ms: number }): Promise<string> {
    count(id);
    if (ms < 0) await new Promise(() => undefined); // for ever
    if (ms > 0) await pause(ms);
    return id;
  }

  @EventPattern('noted')
  async note(@Payload() id: string): Promise<void> {
    await pause(1);
    count(id);
  }
}

function count(id: string): void {
  handled.set(id, (handled.get(id) ?? 0) + 1);
}

interface Client {
  send(pattern: unknown, data: unknown): Observable<unknown>;
  emit(pattern: unknown, data: unknown): Observable<unknown>;
}

/** A number of callers that send one request, and one event, after the other until they are told to stop. */
class Load {
  readonly failures: unknown[] = [];
  requests = 0;
  events = 0;
  private running = true;
  private readonly callers: Promise<void>[];

  constructor(
    private readonly client: Client,
    callers = 20,
  ) {
    this.callers = Array.from({ length: callers }, () => this.call());
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.callers);
  }

  private async call(): Promise<void> {
    while (this.running) {
      const number = ++this.requests;
      const ms = number % 50 === 0 ? 300 : number % 3;
      const reply = await this.settle(this.client.send('work', { id: `request ${number}`, ms }));
      if (reply !== `request ${number}`) continue;
      await this.settle(this.client.emit('noted', `event ${++this.events}`));
    }
  }

  private settle(source: Observable<unknown>): Promise<unknown> {
    const failed = catchError((error: unknown) => of(void this.failures.push(error)));
    return lastValueFrom(source.pipe(failed), { defaultValue: undefined });
  }
}

/** Every request and event was handled once. */
async function expectAllHandledOnce(load: Load): Promise<void> {
  expect(load.failures).toEqual([]);
  expect(load.requests).toBeGreaterThan(200);
  await until(() => handled.size === load.requests + load.events, 'each event is handled');
  expect([...handled].filter(([, times]) => times !== 1)).toEqual([]);
}

function start(options: GevServerOptions = {}): Promise<Service> {
  return serveRpc({ host: '127.0.0.1', ...options }, Counted);
}

function up(client: GevClient, index: number): () => boolean {
  return () => client.stats().endpoints[index]!.state === 'connected';
}

afterEach(() => {
  handled = new Map();
});

describe.each([0, 2])('a rolling restart on %i loops', (loops) => {
  it('D1: of two endpoints, one after the other, nobody notices', async () => {
    const services = await Promise.all([start({ loops }), start({ loops })]);
    const ports = services.map(({ port }) => port);
    const client = clientOf({
      endpoints: ports.map((port) => ({ host: '127.0.0.1', port })),
      connections: 2,
    });
    const load = new Load(client);
    await until(() => load.requests > 200);
    for (const index of [0, 1]) {
      await services[index]!.close();
      services[index] = await start({ loops, port: ports[index]! });
      await until(up(client, index));
      const before = load.requests;
      await until(() => load.requests > before + 200);
    }
    await load.stop();
    await expectAllHandledOnce(load);
    for (const service of services) expect(service.connections.length).toBeGreaterThan(0);
  });

  it('D1: of two servers that share a port, one after the other, nobody notices', async () => {
    const first = await start({ loops, reusePort: true });
    const { port } = first;
    const client = clientOf({ port, connections: 4 });
    const load = new Load(client);
    await until(() => load.requests > 200);
    let old = first;
    for (let round = 0; round < 5; round++) {
      const successor = await start({ loops, reusePort: true, port });
      await old.close();
      const before = load.requests;
      await until(() => load.requests > before + 100);
      old = successor;
    }
    await load.stop();
    await expectAllHandledOnce(load);
    expect(client.stats().reconnects).toBeGreaterThanOrEqual(20);
  });

  it('D1: of the only server, which goes before its successor comes, nobody notices', async () => {
    const first = await start({ loops, drainTimeout: 60_000 });
    const { port } = first;
    const client = clientOf({ port, connections: 2, reconnect: { initialDelay: 10 } });
    let refused = 0;
    client.on('error', () => refused++);
    const load = new Load(client);
    await until(() => load.requests > 200);
    const closed = first.close();
    await until(() => refused > 0);
    const alone = load.requests;
    await until(() => load.requests > alone + 200);
    await start({ loops, port });
    await closed;
    const before = load.requests;
    await until(() => load.requests > before + 200);
    await load.stop();
    await expectAllHandledOnce(load);
  });

  it('D1: packets whose serializer takes its time while the connection is asked to end go elsewhere', async () => {
    const slow = async (packet: unknown): Promise<unknown> => {
      await pause(20);
      return packet;
    };
    const options: GevClientOptions = {
      serializer: { serialize: slow },
      deserializer: { deserialize: (packet) => packet },
    };
    const first = await start({ loops, reusePort: true });
    const { port } = first;
    const load = new Load(clientOf({ port, ...options }), 50);
    await until(() => load.requests > 200);
    const successor = await start({ loops, reusePort: true, port });
    await first.close();
    await until(() => successor.connections.length > 0);
    const before = load.requests;
    await until(() => load.requests > before + 200);
    await load.stop();
    await expectAllHandledOnce(load);
  });

  it('D1: a server with a serializer says it in the same language', async () => {
    const wrap = { serialize: (body: unknown) => ({ body }) };
    const unwrap = { deserialize: (value: any) => value.body };
    const options = { loops, reusePort: true, serializer: wrap, deserializer: unwrap };
    const first = await start(options);
    const { port } = first;
    const load = new Load(clientOf({ port, serializer: wrap, deserializer: unwrap }));
    await until(() => load.requests > 100);
    await start({ ...options, port });
    await first.close();
    const before = load.requests;
    await until(() => load.requests > before + 200);
    await load.stop();
    await expectAllHandledOnce(load);
  });

  it("D1: the successor may be Nest's own server", async () => {
    const service = await start({ loops });
    const nest = await serveNest('ServerTCP');
    const endpoints = [service.port, nest.port].map((port) => ({ host: '127.0.0.1', port }));
    const client = clientOf({ endpoints });
    await client.connect();
    await until(() => up(client, 0)() && up(client, 1)());
    await service.close();
    for (let index = 0; index < 5; index++) {
      expect(await lastValueFrom(client.send('sum', [index, 1]))).toBe(index + 1);
    }
  });

  it("D2: Nest's own client loses only what crosses FIN", async () => {
    const first = await start({ loops, reusePort: true });
    const { port } = first;
    const client = nestClient(port);
    const load = new Load(client, 1);
    await until(() => load.requests > 50);
    await start({ loops, reusePort: true, port });
    const pausing = pause(20); // calls that are in flight when the server stops
    const closed = first.close();
    await pausing;
    expect(load.failures).toEqual([]);
    await load.stop(); // it is quiet from now on
    await closed;
    expect(load.failures).toEqual([]);
    await until(() => handled.size === load.requests + load.events);
    const again = new Load(client, 1);
    await until(() => again.requests > 10);
    await again.stop();
    expect(again.failures).toEqual([]);
  });

  it('D2: connections that reach maxConnectionAge are replaced, and nobody notices', async () => {
    const reasons: string[] = [];
    const service = await start({ loops, maxConnectionAge: 300 });
    service.server.connections$.subscribe((connection) =>
      connection.closed$.subscribe((reason) => reasons.push(reason)),
    );
    const load = new Load(clientOf({ port: service.port, connections: 3 }));
    await until(() => reasons.length >= 6);
    await until(() => load.requests > 200);
    await load.stop();
    await expectAllHandledOnce(load);
    expect(new Set(reasons)).toEqual(new Set(['age']));
  });

  it('D2: one that is still owed a reply drainTimeout later is answered with an error, and closes', async () => {
    const service = await start({ loops, maxConnectionAge: 50, drainTimeout: 200 });
    const peer = await RpcPeer.connect(service.port);
    const connection = await service.connection();
    peer.send({ pattern: 'work', data: { id: 'endless', ms: -1 }, id: 1 });
    await until(() => peer.peer.closed);
    expect(peer.of(undefined)).toEqual([{ pattern: 'gev:goaway', data: {} }]);
    expect(peer.of(1)).toMatchObject([{ err: { status: 'error' }, isDisposed: true }]);
    await until(() => connection.closeReason !== undefined);
    expect(connection.closeReason).toBe('age');
  });

  it('D2: a raw one closes when it is quiet, reason age', async () => {
    const service = await serve({ loops, maxConnectionAge: 50 }, { message: (data) => data });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('hello');
    const connection = await service.connection();
    await until(() => peer.closed);
    expect(await peer.text(5)).toBe('hello');
    await until(() => connection.closeReason !== undefined);
    expect(connection.closeReason).toBe('age');
  });
});
