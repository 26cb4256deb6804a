import { describe, expect, it } from '@jest/globals';
import { Controller, Module, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { type GevNetworkAddress, GevServer, GevServerHandle, OnMessage, raw } from 'nestjs-gev';
import { Reactor } from 'nestjs-gev/core';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { serve } from '../kit/serve.js';
import { pause, until } from '../kit/until.js';

describe.each([0, 2])('events on %i loops', (loops) => {
  it('S10: of each connection, in order: connect, its messages, one close; whatever its peer does', async () => {
    const events = new Map<number, string[]>();
    const say = (id: number, event: string): void => {
      if (!events.has(id)) events.set(id, []);
      events.get(id)!.push(event);
    };
    const roll = random(20);
    const { server, port } = await serve(
      { loops },
      {
        async connect({ id }) {
          say(id, 'connect');
          const fate = roll(10);
          if (fate < 3) await pause(fate);
          if (fate === 9) throw new Error('refused');
        },
        async message(_, connection) {
          say(connection.id, 'message');
          const fate = roll(40);
          if (fate === 0) connection.close();
          if (fate === 1) connection.destroy();
          if (fate === 2) await pause(1);
          return 'ok';
        },
        close: (_, { id }) => say(id, 'close'),
      },
    );
    for (let batch = 0; batch < 10; batch++) {
      const peers = await Peer.connectAll(50, port);
      for (const peer of peers) {
        peer.read();
        for (let left = roll(4); left > 0; left--) peer.write('message');
        const fate = roll(3);
        if (fate === 0) peer.reset();
        if (fate === 1) peer.socket.end();
      }
      await pause(5);
      for (const peer of peers) peer.socket.destroy();
    }
    await until(() => server.stats().open === 0 && server.connections.size === 0);
    await until(() => [...events.values()].every((each) => each.includes('close')));
    expect(server.stats().accepted).toBe(events.size);
    for (const each of events.values()) expect(each.join(' ')).toMatch(/^connect( message)* close$/);
  });

  it('S11: errors go to the Logger of Nest; a flood of one error is a line a second', async () => {
    @Controller()
    class Failing {
      @OnMessage()
      message(data: Buffer): number {
        return data.length; // a number cannot be sent
      }
    }
    @Module({ controllers: [Failing] })
    class AppModule {}
    const lines: { text: string; context: unknown }[] = [];
    const keep = (text: string, ...rest: unknown[]): void => void lines.push({ text, context: rest.at(-1) });
    const logger: LoggerService = { log: () => undefined, warn: keep, error: keep };
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0, codec: raw() });
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      strategy: server,
      logger,
    });
    onCleanup(() => app.close());
    await app.listen();
    const peer = await Peer.connect((server.address() as GevNetworkAddress).port);
    const connection = await new Promise<any>((resolve) => {
      const [open] = server;
      if (open !== undefined) resolve(open);
      server.on('connection', resolve);
    });
    const logged = () => lines.filter(({ text }) => text.includes('Failing.message failed on connection'));
    const started = performance.now();
    // Not just the second line: a process that stood still for a second had none to count.
    await until(() => {
      peer.write('x');
      const counted = logged().some(({ text }) => /\(\d+ of this kind within the last second\)$/.test(text));
      return counted && connection.bytesReceived > 300;
    }, 'a line that counts');
    const failures = logged();
    expect(failures[0]).toEqual({
      text: expect.stringContaining('a Number cannot be sent: return a Buffer, Uint8Array or string'),
      context: 'GevServer',
    });
    expect(failures.length).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - started) / 1_000));
  });

  it('S12: status, on() and unwrap() tell of a real server', async () => {
    const seen: unknown[] = [];
    const server = new GevServer({ loops, host: '127.0.0.1', port: 0, codec: raw() });
    server.status.subscribe((status) => seen.push(status));
    server.on('listening', (address) => seen.push(address));
    server.on('connection', ({ remotePort }) => seen.push(remotePort));
    server.on('close', () => seen.push('close'));
    expect(() => server.unwrap().reactor).toThrow('call listen() first');
    await new Promise((resolve) => server.listen(resolve));
    const address = server.address() as GevNetworkAddress;
    const handle = server.unwrap();
    expect(handle).toBeInstanceOf(GevServerHandle);
    expect(handle.reactor).toBeInstanceOf(Reactor);
    expect([handle.address(), handle.listening]).toEqual([address, true]);
    const peer = (await Peer.connect(address.port)).read();
    await until(() => server.connections.size === 1);
    const { port } = peer;
    expect([...handle].map(({ remotePort }) => remotePort)).toEqual([port]);
    await new Promise<void>((resolve, reject) => {
      void handle.close((error) => (error ? reject(error) : resolve()));
    });
    expect([handle.address(), handle.listening, [...handle]]).toEqual([null, false, []]);
    expect(seen).toEqual(['connected', address, port, 'disconnected', 'close']);
  });
});
