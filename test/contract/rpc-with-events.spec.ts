import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable } from '@nestjs/common';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { Module } from '@nestjs/common';
import {
  Conn,
  GevConnection,
  GevModule,
  GevServer,
  OnClose,
  OnConnect,
  OnMessage,
  Reason,
  RunEvery,
} from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { RpcPeer } from '../kit/rpc.js';
import { pause, until } from '../kit/until.js';

let log: string[] = [];

@Injectable()
class Clock {
  constructor(@Inject(GevServer) private readonly server: GevServer) {}

  @RunEvery(10)
  tick(): void {
    this.server.broadcast(JSON.stringify({ tick: '😀' }));
  }
}

@Controller()
class Everything {
  @OnConnect()
  async connect(@Conn() connection: GevConnection): Promise<void> {
    await pause(10);
    connection.data.name = 'known';
    log.push('connect');
  }

  @OnMessage()
  message(@Payload() data: Buffer, @Conn() connection: GevConnection): void {
    const packet = JSON.parse(data.toString()) as { pattern: string; id: number };
    log.push(`message ${packet.pattern} ${connection.messagesReceived}`);
    if (packet.pattern === 'echoed') connection.send(JSON.stringify({ seen: packet.id }));
  }

  @MessagePattern('name')
  name(@Payload() text: string, @Conn() connection: GevConnection): string {
    log.push('request');
    return `${text} ${String(connection.data.name)}`;
  }

  @MessagePattern('hang up')
  hangUp(@Payload() text: string, @Conn() connection: GevConnection): string {
    setImmediate(() => connection.close());
    return text;
  }

  @OnClose()
  close(@Reason() reason: string): void {
    log.push(`close ${reason}`);
  }
}

describe.each([0, 2])('connection events and timers beside RPC on %i loops', (loops) => {
  async function start() {
    log = [];
    @Module({
      imports: [GevModule.forRoot({ loops, host: '127.0.0.1', port: 0 })],
      controllers: [Everything],
      providers: [Clock],
    })
    class AppModule {}
    const app = await NestFactory.createMicroservice(AppModule, {
      inject: [GevServer],
      useFactory: (strategy: GevServer): MicroserviceOptions => ({ strategy }),
      logger: false,
    } as object);
    onCleanup(() => app.close());
    await app.listen();
    const { port } = app.get(GevServer).address() as { port: number };
    return { app, peer: await RpcPeer.connect(port) };
  }

  it('C2: no request is handled before @OnConnect has settled; close comes last', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'name', data: 'I am', id: 1 });
    expect(await peer.all(1)).toEqual([{ response: 'I am known', isDisposed: true, id: 1 }]);
    peer.peer.socket.end();
    await until(() => log.includes('close peer'));
    expect(log).toEqual(['connect', 'message name 1', 'request', 'close peer']);
  });

  it('C4: an @OnMessage handler sees each frame, and what it sends is a frame of its own', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'echoed', data: 1, id: 7 });
    await peer.all(7);
    await until(() => peer.packets.some((packet) => 'seen' in packet));
    expect(peer.packets.filter((packet) => !('tick' in packet))).toEqual(
      expect.arrayContaining([
        { seen: 7 },
        { id: 7, status: 'error', err: expect.stringContaining('no matching message handler') },
      ]),
    );
  });

  it('T1: what @RunEvery broadcasts comes as frames between the replies', async () => {
    const { app, peer } = await start();
    const ticks = (): number => peer.packets.filter((packet) => 'tick' in packet).length;
    await until(() => ticks() > 3);
    for (let id = 0; id < 50; id++) peer.send({ pattern: 'name', data: 'é', id });
    await until(() => peer.packets.length - ticks() === 50);
    expect(peer.packets.find((packet) => 'tick' in packet)).toEqual({ tick: '😀' });
    await app.close();
    await until(() => peer.peer.closed);
    expect(log.filter((line) => line.startsWith('close'))).toEqual(['close shutdown']);
  });

  it('C5: a handler may close its connection behind its reply', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'hang up', data: 'bye', id: 1 });
    await until(() => peer.peer.closed);
    expect(peer.of(1)).toEqual([{ response: 'bye', isDisposed: true, id: 1 }]);
    await until(() => log.includes('close local'));
  });
});
