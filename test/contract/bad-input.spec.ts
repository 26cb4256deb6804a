import { describe, expect, it, jest } from '@jest/globals';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions, MicroserviceOptions } from '@nestjs/microservices';
import { GevListenError, GevModule, GevOptionsError, GevServer, type GevServerOptions } from 'nestjs-gev';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const NOBODY = 65_534;

/** Listens in an application of Nest, and gives what that is rejected with. */
async function refusal(options: GevServerOptions): Promise<GevListenError> {
  @Module({})
  class AppModule {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    strategy: new GevServer(options),
    logger: false,
  });
  onCleanup(() => app.close());
  return app.listen().then(
    () => {
      throw new Error('It listens');
    },
    (error: GevListenError) => error,
  );
}

describe.each([0, 2])('bad input on %i loops', (loops) => {
  it('S1: a port in use rejects listen with a typed error that names it and the remedy', async () => {
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
    onCleanup(() => occupant.close());
    const { port } = occupant.address() as AddressInfo;
    const error = await refusal({ host: '127.0.0.1', port, loops });
    expect(error).toBeInstanceOf(GevListenError);
    expect(error).toMatchObject({
      code: 'EADDRINUSE',
      address: '127.0.0.1',
      port,
      syscall: 'bind',
      errno: 98,
    });
    expect(error.message).toMatch(`127.0.0.1:${port}: EADDRINUSE`);
    expect(error.message).toMatch('reusePort');
  });

  it('S1: a lack of permission rejects listen with a typed error', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gev-'));
    onCleanup(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'server.sock');
    chmodSync(folder, 0o500);
    // Root is refused nothing: be somebody else for the time of the call.
    const isRoot = process.geteuid!() === 0;
    if (isRoot) process.seteuid!(NOBODY);
    let error: GevListenError;
    try {
      error = await refusal({ path, loops });
    } finally {
      if (isRoot) process.seteuid!(0);
    }
    expect(error).toBeInstanceOf(GevListenError);
    expect(error).toMatchObject({ code: 'EACCES', path, syscall: 'bind' });
    expect(error.message).toMatch('permission');
    expect(existsSync(path)).toBe(false);
  });

  it('S1: an address of another machine, a folder and a name that do not exist are typed errors', async () => {
    expect(await refusal({ host: '192.0.2.1', port: 0, loops })).toMatchObject({
      name: 'GevListenError',
      code: 'EADDRNOTAVAIL',
    });
    expect(await refusal({ path: join(tmpdir(), 'no', 'such', 'folder.sock'), loops })).toMatchObject({
      name: 'GevListenError',
      code: 'ENOENT',
    });
    expect(await refusal({ path: `/tmp/${'x'.repeat(200)}`, loops })).toMatchObject({
      name: 'GevListenError',
      code: 'ENAMETOOLONG',
    });
    expect(await refusal({ host: 'no-such-host.invalid', port: 0, loops })).toMatchObject({
      name: 'GevListenError',
      address: 'no-such-host.invalid',
    });
  });

  it('C6: a handler that throws costs its message only; its peer and all others are served on', async () => {
    const service = await serve(
      { loops },
      {
        message(data) {
          if (data.toString() === 'bad') throw new Error('boom');
          if (data.toString() === 'worse') return Promise.reject(new Error('bang'));
          if (data.toString() === 'odd') return { not: 'bytes' };
          return data;
        },
      },
    );
    // What Nest did not expect is logged by Nest.
    const nest = jest.spyOn(Logger.prototype, 'error');
    nest.mockImplementation((error: unknown) => void service.lines.push(String(error)));
    onCleanup(() => nest.mockRestore());
    const [peer, other] = [await Peer.connect(service.port), await Peer.connect(service.port)];
    peer.read();
    other.read();
    for (const [bad, said] of [
      ['bad', 'boom'],
      ['worse', 'bang'],
      ['odd', 'cannot be sent'],
    ] as const) {
      const before = service.lines.length;
      peer.write(bad);
      await until(() => service.lines.length > before, `a line about ${bad}`);
      expect(service.lines.slice(before).join('\n')).toMatch(said);
      for (const each of [peer, other]) {
        each.write('good');
        expect(await each.text(4)).toBe('good');
      }
    }
  });

  it('C5: peers that reset, at any moment, are close reasons; opens and closes balance', async () => {
    const reasons: string[] = [];
    let opened = 0;
    const service = await serve(
      { loops },
      {
        connect: () => void opened++,
        message: (data) => data,
        close: (reason) => void reasons.push(reason),
      },
    );
    for (let round = 0; round < 10; round++) {
      const peers = await Peer.connectAll(20, service.port);
      for (const [index, peer] of peers.entries()) {
        if (index % 2 === 0) peer.write(Buffer.alloc(100_000));
        if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
        peer.reset();
      }
    }
    const survivor = (await Peer.connect(service.port)).read();
    survivor.write('ping');
    expect(await survivor.text(4)).toBe('ping');
    // What was reset in the kernel's queue may or may not be accepted; what was announced is closed.
    await until(() => service.server.connections.size === 1);
    await until(() => reasons.length === opened - 1);
    expect(new Set(reasons)).toEqual(new Set(['reset']));
  });
});

describe('bad options', () => {
  it('S4: a wrong option is refused where it is made, by its name', () => {
    for (const [options, option] of [
      [{ loops: 1000 }, 'loops'],
      [{ port: -1 }, 'port'],
      [{ highWaterMark: 10, lowWaterMark: 20 }, 'lowWaterMark'],
      [{ idleTimeut: 5 }, 'idleTimeut'],
    ] as [GevServerOptions, string][]) {
      expect(() => new GevServer(options)).toThrow(GevOptionsError);
      expect(() => new GevServer(options)).toThrow(
        expect.objectContaining({ code: 'ERR_GEV_INVALID_OPTION', option }),
      );
    }
  });

  it('S4: a wrong option from a configuration fails the start of the application with the same error', async () => {
    @Module({ imports: [GevModule.forRootAsync({ useFactory: () => ({ loops: Number('many') }) })] })
    class AppModule {}
    const start = NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
      inject: [GevServer],
      useFactory: (server: GevServer) => ({ strategy: server }),
      logger: false,
      abortOnError: false,
    });
    await expect(start).rejects.toMatchObject({ name: 'GevOptionsError', option: 'loops' });
  });
});
