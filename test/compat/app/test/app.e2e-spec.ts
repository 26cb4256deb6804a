import type { INestMicroservice } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { GevClient, GevOptionsError, GevServer } from 'nestjs-gev';
import { createServer, type AddressInfo } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { AppModule } from '../src/app.module';

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('the application', () => {
  let app: INestMicroservice;
  let client: GevClient;

  beforeAll(async () => {
    const port = await freePort();
    process.env.PORT = String(port);
    const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
    app = module.createNestMicroservice({ strategy: module.get(GevServer), logger: false });
    await app.listen();
    client = new GevClient({ host: '127.0.0.1', port, loops: 0 });
  });

  afterAll(async () => {
    await client.close();
    await app.close();
  });

  const ask = (pattern: string, data: unknown = {}) => firstValueFrom(client.send<unknown>(pattern, data));

  it('J2: answers, and knows the connection', async () => {
    expect(await ask('sum', [1, 2, 3])).toBe(6);
    expect(await ask('sum', [4])).toBe(4);
    expect(await ask('calls')).toBe(2);
  });

  it('J2: calls itself by a client of its own', async () => {
    expect(await ask('relay', [5, 6])).toBe(11);
  });

  it('J2: runs timers', async () => {
    while ((await ask('ticks')) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('J2: refuses wrong options with an error of its own', () => {
    expect(() => new GevServer({ port: -1 })).toThrow(GevOptionsError);
  });
});
