import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { GevOptionsError } from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** From one of the addresses that a loopback has. */
async function dial(port: number, localAddress: string, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host, localAddress });
  socket.on('error', () => undefined).resume();
  onCleanup(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Whether it is served: answered rather than closed. */
async function isServed(socket: Socket): Promise<boolean> {
  const answered = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true)).once('close', () => resolve(false));
  });
  socket.write('ping');
  return answered;
}

const served = async (port: number, localAddress: string) => isServed(await dial(port, localAddress));

const ECHO = { message: (data: Buffer) => data };

describe.each([0, 2])('who may come in, on %i loops', (loops) => {
  it('E3: only addresses of allow that are not in deny are served, and others counted', async () => {
    const opened: (string | undefined)[] = [];
    const { server, port, lines } = await serve(
      { loops, allow: ['127.0.0.0/29'], deny: ['127.0.0.3'] },
      { ...ECHO, connect: ({ remoteAddress }) => void opened.push(remoteAddress) },
    );
    expect(await served(port, '127.0.0.2')).toBe(true);
    expect(await served(port, '127.0.0.3')).toBe(false);
    expect(await served(port, '127.0.0.9')).toBe(false);
    expect(opened).toEqual(['127.0.0.2']);
    expect(server.stats()).toMatchObject({ accepted: 1, refused: 2 });
    expect(server.stats().refusals.denied).toBe(2);
    await until(() => lines.some((line) => line.includes('127.0.0.3') && line.includes('allow, deny')));
  });

  it('E3: an IPv4 client of a listener of both kinds is held to rules of IPv4', async () => {
    const { server, port } = await serve({ loops, host: '::', deny: ['127.0.0.2/32', '::/0'] }, ECHO);
    expect(await served(port, '127.0.0.2')).toBe(false);
    expect(await served(port, '127.0.0.3')).toBe(true);
    expect(server.stats().refusals.denied).toBe(1);
  });

  it('E3: setAccess swaps the rules, leaves who is there alone, and takes nothing it cannot read', async () => {
    const { server, port } = await serve({ loops, deny: ['127.0.0.2'] }, ECHO);
    const stays = await dial(port, '127.0.0.3');
    expect(await isServed(stays)).toBe(true);
    server.setAccess({ allow: ['127.0.0.2'] });
    expect(await served(port, '127.0.0.2')).toBe(true);
    expect(await served(port, '127.0.0.3')).toBe(false);
    expect(await isServed(stays)).toBe(true);
    expect(() => server.setAccess({ allow: ['127.0.0.2/8'] })).toThrow(GevOptionsError);
    expect(await served(port, '127.0.0.2')).toBe(true);
    server.setAccess({});
    expect(await served(port, '127.0.0.3')).toBe(true);
    server.setAccess({ allow: [] });
    expect(await served(port, '127.0.0.2')).toBe(false);
  });

  it('E3: an address has so many connections, and its places again whatever way it leaves', async () => {
    let open = 0;
    const { server, port } = await serve(
      { loops, maxConnectionsPerAddress: 3 },
      {
        connect: () => void open++,
        message: (data, conn) => (data.toString() === 'bye' ? void conn.destroy() : data),
        close: () => void open--,
      },
    );
    const leave: ((socket: Socket) => unknown)[] = [
      (socket) => socket.end(),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.write('bye'),
    ];
    for (let round = 1; round <= 5; round++) {
      const sockets: Socket[] = [];
      for (let i = 0; i < 3; i++) {
        sockets.push(await dial(port, '127.0.0.2'));
        expect(await isServed(sockets[i]!)).toBe(true);
      }
      expect(await served(port, '127.0.0.2')).toBe(false);
      expect(await served(port, `127.0.1.${round}`)).toBe(true);
      sockets.forEach((socket, i) => leave[i]!(socket));
      await until(() => sockets.every(({ destroyed }) => destroyed));
      await until(() => [...server.connections.values()].every((conn) => conn.remoteAddress !== '127.0.0.2'));
      expect(server.stats().refusals.maxConnectionsPerAddress).toBe(round);
    }
  });

  it('E3: beyond acceptRate a second clients are closed and counted, of an address or of all', async () => {
    const perAddress = await serve({ loops, acceptRatePerAddress: 2 }, ECHO);
    const all = await serve({ loops, acceptRate: 2 }, ECHO);
    for (const { server, port } of [perAddress, all]) {
      const sockets = await Promise.all(Array.from({ length: 12 }, () => dial(port, '127.0.0.2')));
      const results = await Promise.all(sockets.map(isServed));
      const { refusals, accepted } = server.stats();
      expect(accepted).toBe(results.filter(Boolean).length);
      expect(accepted).toBeGreaterThanOrEqual(2);
      expect(refusals.acceptRatePerAddress + refusals.acceptRate).toBe(12 - accepted);
    }
    expect(perAddress.server.stats().refusals.acceptRate).toBe(0);
    expect(all.server.stats().refusals.acceptRatePerAddress).toBe(0);
    await until(async () => served(perAddress.port, '127.0.0.2')); // the rate comes back by itself
  });
});

describe('options of who may come in', () => {
  it.each([
    [{ allow: ['10.0.0.1/8'] }, 'allow[0]'],
    [{ deny: ['::1', 'example.org'] }, 'deny[1]'],
    [{ acceptRate: -1 }, 'acceptRate'],
    [{ maxConnectionsPerAddress: 1.5 }, 'maxConnectionsPerAddress'],
  ])('E3: %j is refused by name', async (options, option) => {
    await expect(serve(options, {})).rejects.toMatchObject({ code: 'ERR_GEV_INVALID_OPTION', option });
  });
});
