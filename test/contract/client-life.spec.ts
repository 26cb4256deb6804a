import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, type ClientProxy } from '@nestjs/microservices';
import { GevClient, GevServer, type GevAddress, type GevServerOptions } from 'nestjs-gev';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { firstValueFrom } from 'rxjs';
import { Child } from '../kit/child.js';
import { onCleanup } from '../kit/cleanup.js';
import { clientOf } from '../kit/rpc-client.js';
import { until } from '../kit/until.js';

const script = fileURLToPath(new URL('../kit/children/client.mjs', import.meta.url));
const loopback = { host: '127.0.0.1', port: 0 };

/** A server that echoes. */
async function listen(options: GevServerOptions): Promise<{ server: GevServer; address: GevAddress }> {
  const server = new GevServer(options);
  server.addHandler('echo', async (data: unknown) => data);
  onCleanup(() => server.close());
  const address = await new Promise<GevAddress>((resolve, reject) =>
    server.listen((error, address) => (error === undefined ? resolve(address!) : reject(error))),
  );
  return { server, address };
}

const portOf = (address: GevAddress): number => ('port' in address ? address.port : 0);

describe.each([0, 2])('a client on %i loop threads', (loops) => {
  it('reaches servers on IPv4, IPv6, by name and on Unix sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gev-'));
    onCleanup(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'a.sock');
    const { address: four } = await listen(loopback);
    const { address: six } = await listen({ host: '::1', port: 0 });
    const { address: named } = await listen({ host: 'localhost', port: 0 });
    await listen({ path });
    for (const endpoint of [
      { host: '127.0.0.1', port: portOf(four) },
      { host: '::1', port: portOf(six) },
      { host: 'localhost', port: portOf(four) },
      { host: 'localhost', port: portOf(named) },
      { path },
    ]) {
      const client = clientOf({ ...endpoint, loops });
      expect(await firstValueFrom(client.send('echo', endpoint))).toEqual(endpoint);
      await client.close();
    }
  });

  it('spreads requests over its connections, and those over its loops', async () => {
    const { server, address } = await listen(loopback);
    const client = clientOf({ port: portOf(address), loops, connections: 4 });
    await client.connect();
    await until(() => client.stats().endpoints[0]!.connections === 4, 'all are up');
    const numbers = Array.from({ length: 400 }, (_, number) => number);
    const replies = await Promise.all(numbers.map((number) => firstValueFrom(client.send('echo', number))));
    expect(replies).toEqual(numbers);
    const received = [...server].map(({ messagesReceived }) => messagesReceived);
    expect(received).toEqual([101, 101, 101, 101]); // gev:hello
    const { connections } = client.unwrap();
    expect(new Set(connections.map(({ loop }) => loop)).size).toBe(Math.max(loops, 1));
  });

  it('goes on while its server restarts', async () => {
    const first = await listen(loopback);
    const port = portOf(first.address);
    const client = clientOf({ port, loops, offlineQueue: 10, reconnect: { initialDelay: 10, maxDelay: 20 } });
    expect(await firstValueFrom(client.send('echo', 1))).toBe(1);
    await first.server.close();
    await until(() => client.stats().endpoints[0]!.connections === 0, 'the connection is gone');
    const waiting = firstValueFrom(client.send('echo', 2));
    await listen({ ...loopback, port });
    expect(await waiting).toBe(2);
  });

  it('is closed by the application that it is a provider of', async () => {
    const { server, address } = await listen(loopback);
    @Module({
      imports: [
        ClientsModule.register([
          {
            name: 'ECHO',
            customClass: GevClient,
            options: { host: '127.0.0.1', port: portOf(address), loops },
          },
        ]),
      ],
    })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const client = app.get<ClientProxy>('ECHO');
    expect(await firstValueFrom(client.send('echo', 'x'))).toBe('x');
    expect(server.connections.size).toBe(1);
    await app.close();
    await until(() => server.connections.size === 0, 'the connection is closed');
  });

  it.each([
    ['close', 0],
    ['exit', 3],
    ['throw', 1],
    ['terminate', 0],
  ])('S13: with a thousand requests in flight ends by %s with code %i', async (end, code) => {
    const { server, address } = await listen(loopback);
    server.addHandler('never', () => new Promise(() => undefined));
    const child = Child.start([script, String(portOf(address)), String(loops), end]);
    if (end !== 'terminate') await child.report('answered');
    expect(await child.exit()).toEqual({ code, signal: null });
    if (end === 'throw') expect(child.errors.join('\n')).toContain('thrown on purpose');
    else expect(child.errors).toEqual([]);
  });
});
