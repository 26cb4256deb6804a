import { describe, expect, it } from '@jest/globals';
import type { GevConnection } from 'nestjs-gev';
import { connect } from 'node:net';
import { Child } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { serve } from '../kit/serve.js';
import { pause, until } from '../kit/until.js';

describe.each([0, 2])('faults of peers on %i loops', (loops) => {
  it('FAULTS 11: opens and closes balance over 5,000 resets at any moment', async () => {
    const opened = new Map<GevConnection, number>();
    const reply = Buffer.alloc(256 * 1024);
    const { server, port, lines } = await serve(
      { loops },
      {
        connect: (connection) => void opened.set(connection, 0),
        async message(data) {
          if (data[0] === 1) await pause(1);
          return reply;
        },
        close: (_, connection) => void opened.set(connection, opened.get(connection)! + 1),
      },
    );
    let ended = 0;
    const dial = (fate: number): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          // Before the first read, during a handler, in the middle of a reply.
          if (fate === 0) socket.resetAndDestroy();
          else socket.write(Buffer.of(fate), () => fate === 1 && socket.resetAndDestroy());
        });
        socket.once('data', () => socket.resetAndDestroy());
        socket.on('error', () => undefined);
        socket.on('close', () => {
          ended++;
          resolve();
        });
      });
    while (ended < 5_000) await Promise.all(Array.from({ length: 100 }, (_, index) => dial(index % 3)));
    await until(() => server.stats().open === 0 && server.connections.size === 0);
    await until(() => [...opened.values()].every((closes) => closes > 0));
    expect(new Set(opened.values())).toEqual(new Set([1]));
    expect(opened.size).toBe(server.stats().accepted);
    expect(lines).toEqual([]);
    const peer = (await Peer.connect(port)).read();
    peer.write(Buffer.of(2));
    await peer.take(reply.length);
  });

  it.each([0, 1, 40])(
    'FAULTS 12: a request that ends with FIN gets its reply after %i ms, then FIN',
    async (ms) => {
      const { port } = await serve(
        { loops },
        { message: (data) => (ms === 0 ? data : pause(ms).then(() => data)) },
      );
      for (let round = 0; round < 20; round++) {
        const peer = await Peer.connect(port, { allowHalfOpen: true });
        peer.read().socket.end('request');
        await until(() => peer.closed);
        expect(await peer.text(peer.length)).toBe('request');
        expect(peer.events).toEqual(['end', 'close']);
      }
    },
  );

  it.each([1, 2, 3])('FAULTS 21: closing and writing in every callback, seed %i', async (seed) => {
    const roll = random(seed);
    const life = new Map<GevConnection, 'connect' | 'message' | 'close'>();
    const wrong: string[] = [];
    /** Does something to this connection or to another one. */
    const meddle = (self: GevConnection): void => {
      const all = [...life.keys()];
      const connection = roll(2) === 0 ? self : all[roll(all.length)]!;
      const told = (error?: Error): void => {
        if (error !== undefined && error.name !== 'GevConnectionClosedError') wrong.push(error.name);
        if (roll(8) === 0) connection.destroy();
      };
      switch (roll(8)) {
        case 0:
          return connection.close();
        case 1:
          return connection.destroy();
        case 2:
          return connection.shutdownWrite();
        default:
          connection.send(Buffer.alloc(roll(20_000)), told);
      }
    };
    const step = (connection: GevConnection, event: 'connect' | 'message' | 'close'): void => {
      const last = life.get(connection);
      if (last === 'close' || (event === 'connect') !== (last === undefined))
        wrong.push(`${event} after ${last}`);
      life.set(connection, event);
      for (let times = roll(4); times > 0; times--) meddle(connection);
    };
    const { server, port } = await serve(
      { loops },
      {
        connect: (connection) => step(connection, 'connect'),
        message(data, connection) {
          step(connection, 'message');
          return data;
        },
        close: (_, connection) => step(connection, 'close'),
      },
    );
    for (let round = 0; round < 10; round++) {
      const peers = await Promise.all(
        Array.from({ length: 20 }, () => Peer.connect(port).catch(() => undefined)),
      );
      for (const peer of peers) {
        peer?.read();
        for (let times = roll(5); times > 0; times--) peer?.write('message');
      }
      await pause(5);
      for (const peer of peers) {
        if (roll(2) === 0) peer?.reset();
        else peer?.socket.end();
      }
    }
    await until(() => server.stats().open === 0 && server.connections.size === 0);
    await until(() => [...life.values()].every((event) => event === 'close'));
    expect(wrong).toEqual([]);
    expect(life.size).toBe(server.stats().accepted);
  });

  it('FAULTS 26: a connection that is kept and used after its close gives a typed error and harms no other', async () => {
    const { port } = await Child.scenario('kept', { loops }).report('port');
    const old = await Peer.connectAll(20, port);
    for (const peer of old) {
      peer.read().write('keep');
      expect(await peer.text(4)).toBe('kept');
      peer.socket.end();
      await until(() => peer.closed);
    }
    const young = await Peer.connectAll(20, port);
    for (const peer of young) {
      peer.read().write('here');
      await peer.take(4);
    }
    const expected = '20 kept, GevConnectionClosedError, 20 open;';
    for (const peer of young) {
      peer.write('use');
      expect(await peer.text(expected.length)).toBe(expected);
    }
    for (const peer of young) expect(peer.events).toEqual([]);
  });
});
