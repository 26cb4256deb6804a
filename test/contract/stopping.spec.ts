import { describe, expect, it } from '@jest/globals';
import { GevServer, raw } from 'nestjs-gev';
import { createServer } from 'node:net';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { descriptors, threads, warmThreadPool } from '../kit/process-stats.js';
import { serve } from '../kit/serve.js';
import { pause, settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;

describe.each([0, 2])('stopping on %i loops', (loops) => {
  it('S8: requests in flight are answered, output is flushed, and 100 connections get 100 close events', async () => {
    await (await serve({ loops })).close(); // what all servers of a process share stays with it
    const before = await settled(() => descriptors());
    const closes = new Map<number, string[]>();
    let inFlight = 0;
    const service = await serve(
      { loops },
      {
        connect: (connection) => void closes.set(connection.id, []),
        async message(data, connection) {
          inFlight++;
          if (data.toString() === 'flood') connection.send(Buffer.alloc(4 * MiB, 'f'));
          await pause(200);
          return `answer to ${data.toString()}`;
        },
        close: (reason, { id }) => void closes.get(id)!.push(reason),
      },
    );
    const peers = await Peer.connectAll(100, service.port);
    peers.forEach((peer, index) => peer.write(index < 5 ? 'flood' : 'request'));
    await until(() => inFlight === 100);
    expect([...closes.values()].flat()).toEqual([]);
    const closed = service.server.close();
    for (const peer of peers) peer.read();
    await closed;

    expect([...closes.values()]).toEqual(Array.from({ length: 100 }, () => ['shutdown']));
    expect(service.server.connections.size).toBe(0);
    for (const [index, peer] of peers.entries()) {
      await until(() => peer.closed);
      expect(peer.events).toEqual(['end', 'close']);
      if (index < 5)
        expect((await peer.take(4 * MiB)).every((byte) => byte === 'f'.charCodeAt(0))).toBe(true);
      expect(await peer.text(peer.length)).toBe(`answer to ${index < 5 ? 'flood' : 'request'}`);
    }
    await until(() => descriptors() <= before, 'every descriptor is closed');

    const successor = createServer();
    onCleanup(() => successor.close());
    await new Promise<void>((resolve, reject) =>
      successor.once('error', reject).listen(service.port, '127.0.0.1', resolve),
    );
  });

  it('S8: what the kernel holds already is still handled and answered', async () => {
    const service = await serve({ loops }, { message: (data) => data });
    const peers = await Peer.connectAll(20, service.port);
    await until(() => service.connections.length === 20);
    for (const peer of peers) peer.read();
    // Written, delivered by the kernel, and unseen by JavaScript until this turn ends.
    await Promise.all(
      peers.map((peer) => new Promise<void>((resolve) => peer.socket.write('late', () => resolve()))),
    );
    await service.server.close();
    for (const peer of peers) {
      await until(() => peer.closed);
      expect(await peer.text(4)).toBe('late');
      expect(peer.events).toEqual(['end', 'close']);
    }
  });

  it('S8: nobody connects any more while it drains', async () => {
    let finish!: () => void;
    const service = await serve({ loops }, { message: () => new Promise<void>((done) => (finish = done)) });
    const peer = await Peer.connect(service.port);
    peer.write('x');
    await until(() => finish !== undefined);
    const closed = service.server.close();
    const refused = (): Promise<boolean> =>
      Peer.connect(service.port).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
      );
    let deaf = false;
    while (!deaf) deaf = await refused();
    expect(peer.closed).toBe(false);
    peer.read();
    finish();
    await closed;
  });

  it('S8: peers that read nothing and say nothing are cut at drainTimeout', async () => {
    const closes: string[] = [];
    const service = await serve(
      { loops, drainTimeout: 300 },
      { close: (reason) => void closes.push(reason) },
    );
    await Peer.connectAll(5, service.port);
    for (let index = 0; index < 5; index++) (await service.connection(index)).send(Buffer.alloc(32 * MiB));
    let ended = false;
    void service.server.close().then(() => (ended = true));
    await until(() => ended, 'it ends at drainTimeout', 3_000);
    expect(closes).toEqual(Array.from({ length: 5 }, () => 'shutdown'));
  });

  it('S8: stop before start, twice and during start are harmless', async () => {
    await warmThreadPool();
    await (await serve({ loops })).close();
    const before = [await settled(() => descriptors()), threads()];
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0, codec: raw() });
    await server.close();
    for (let round = 0; round < 10; round++) {
      const listening = new Promise((resolve) => server.listen(resolve));
      await Promise.all([server.close(), server.close(), listening]);
      expect(server.address()).toBeNull();
    }
    expect(await new Promise((resolve) => server.listen(resolve))).toBeUndefined();
    const [first, second] = [server.close(), server.close()];
    expect(await new Promise((resolve) => server.listen(resolve))).toMatchObject({
      code: 'ERR_GEV_ALREADY_LISTENING',
    });
    await Promise.all([first, second]);
    await server.close();
    await until(() => descriptors() <= before[0]! && threads() <= before[1]!, 'nothing is left');
  });

  it('S8: 50 times started and stopped with a client on, nothing is left', async () => {
    await warmThreadPool();
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0, codec: raw() });
    const round = async (): Promise<void> => {
      expect(await new Promise((resolve) => server.listen(resolve))).toBeUndefined();
      const peer = (await Peer.connect((server.address() as { port: number }).port)).read();
      await until(() => server.connections.size === 1);
      await server.close();
      await until(() => peer.closed);
    };
    await round();
    const before = [await settled(() => descriptors()), threads()];
    for (let number = 0; number < 50; number++) await round();
    await until(() => descriptors() <= before[0]! && threads() <= before[1]!, 'nothing is left');
  });

  it('S8: a server may be stopped by one of its handlers', async () => {
    const closes: string[] = [];
    const service = await serve(
      { loops },
      {
        message() {
          void service.server.close();
          return 'bye';
        },
        close: (reason) => void closes.push(reason),
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write('x');
    expect(await peer.text(3)).toBe('bye');
    await until(() => peer.closed);
    await service.server.close();
    expect(closes).toEqual(['shutdown']);
  });
});

it('S8: servers on threads that come and go beside one on the JavaScript thread are all heard', async () => {
  await serve({ loops: 0 });
  for (let round = 0; round < 3; round++) {
    const server = new GevServer({ loops: 2, host: '127.0.0.1', port: 0, codec: raw() });
    onCleanup(() => server.close());
    await new Promise((resolve) => server.listen(resolve));
    (await Peer.connect((server.address() as { port: number }).port)).read();
    await until(() => server.connections.size === 1, 'the connection is heard of');
    await server.close(); // which ends while the last event is delivered
    await pause(1); // and lets that end
  }
});
