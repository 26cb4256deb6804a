import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, type AsyncMicroserviceOptions } from '@nestjs/microservices';
import {
  Conn,
  GevConnection,
  GevModule,
  GevServer,
  OnClose,
  OnConnect,
  OnMessage,
  Reason,
  RunAfter,
  RunEvery,
  raw,
  type CloseReason,
  type GevModuleOptions,
  type GevNetworkAddress,
} from 'nestjs-gev';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { firstValueFrom } from 'rxjs';
import { onCleanup, step, until } from './steps.js';

const FLOOD = 32 * 1024 * 1024; // more than the kernel takes of one that does not read

/** What the service has seen. */
@Injectable()
class Journal {
  readonly lines: string[] = [];
}

@Controller()
class BytesController {
  constructor(
    private readonly server: GevServer,
    private readonly journal: Journal,
  ) {}

  @OnConnect()
  async connect(): Promise<void> {
    await pause(20); // what comes meanwhile waits
    this.journal.lines.push('open');
  }

  @OnMessage()
  async message(@Conn() connection: GevConnection, @Payload() data: Buffer): Promise<Buffer | undefined> {
    switch (data.length < 16 ? data.toString() : '') {
      case 'leave':
        connection.close();
        return undefined;
      case 'late':
        await pause(50);
        return Buffer.from('a late reply');
      case 'flood':
        await this.flood(connection);
        return undefined;
      case 'all':
        this.server.broadcast('to all');
        return undefined;
      default:
        return data;
    }
  }

  @OnClose()
  close(@Reason() reason: CloseReason): void {
    this.journal.lines.push(reason);
  }

  @RunEvery(20)
  tick(): void {
    this.journal.lines.push('tick');
  }

  @RunAfter(30)
  once(): void {
    this.journal.lines.push('once');
  }

  private async flood(connection: GevConnection): Promise<void> {
    const piece = Buffer.alloc(256 * 1024, 'x');
    for (let sent = 0; sent < FLOOD; sent += piece.length) {
      if (!connection.send(piece)) {
        this.journal.lines.push('full');
        await firstValueFrom(connection.drain$);
      }
    }
  }
}

async function serve(options: GevModuleOptions = {}) {
  @Module({
    imports: [GevModule.forRoot({ host: '127.0.0.1', port: 0, codec: raw(), ...options })],
    controllers: [BytesController],
    providers: [Journal],
  })
  class BytesModule {}
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(BytesModule, {
    inject: [GevServer],
    useFactory: (strategy: GevServer) => ({ strategy }),
    logger: false,
    abortOnError: false,
  });
  onCleanup(() => app.close());
  await app.listen();
  const { lines } = app.get(Journal);
  const server = app.get(GevServer);
  const { port } = server.address() as GevNetworkAddress;
  return { app, lines, server, where: { host: '127.0.0.1', port } };
}

/** The other end: keeps what comes. */
class Peer {
  private readonly chunks: Buffer[] = [];
  length = 0;
  ended = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
    });
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => undefined);
    onCleanup(() => socket.destroy());
  }

  static async dial(where: NetConnectOpts): Promise<Peer> {
    const socket = connect(where);
    const peer = new Peer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** What has come, once it is so much. */
  async receive(length: number): Promise<Buffer> {
    await until(() => this.length >= length);
    return Buffer.concat(this.chunks);
  }
}

const count = (lines: readonly string[], line: string): number =>
  lines.filter((each) => each === line).length;

export async function tryBytes(): Promise<void> {
  await step('bytes are echoed, those too that come before @OnConnect is done', async () => {
    const { where } = await serve();
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const data = randomBytes(1024 * 1024);
        const peer = await Peer.dial(where);
        peer.socket.write(data);
        assert.ok((await peer.receive(data.length)).equals(data));
      }),
    );
  });

  await step('what opens and closes is told, with the reason', async () => {
    const { lines, where } = await serve();
    const first = await Peer.dial(where);
    await until(() => count(lines, 'open') === 1);
    first.socket.end();
    await until(() => lines.includes('peer'));
    const second = await Peer.dial(where);
    second.socket.write('leave');
    await until(() => second.ended && lines.includes('local'));
    const third = await Peer.dial(where);
    await until(() => count(lines, 'open') === 3);
    third.socket.resetAndDestroy();
    // It says FIN first: who is quick sees that one alone.
    await until(() => lines.includes('reset') || count(lines, 'peer') === 2);
  });

  await step('who has said FIN gets the reply that is owed', async () => {
    const { where } = await serve();
    const peer = await Peer.dial(where);
    peer.socket.end('late');
    assert.equal(String(await peer.receive(12)), 'a late reply');
    await until(() => peer.ended);
  });

  await step('a broadcast reaches everybody', async () => {
    const { where, lines } = await serve();
    const peers = await Promise.all(Array.from({ length: 10 }, () => Peer.dial(where)));
    await until(() => count(lines, 'open') === 10);
    peers[0]!.socket.write('all');
    for (const peer of peers) assert.equal(String(await peer.receive(6)), 'to all');
  });

  await step('timers tick', async () => {
    const { lines } = await serve();
    await until(() => count(lines, 'tick') >= 5);
    assert.equal(count(lines, 'once'), 1);
  });

  await step('who does not read holds the sender up, and gets everything', async () => {
    const { lines, where } = await serve();
    const peer = await Peer.dial(where);
    peer.socket.pause();
    peer.socket.write('flood');
    await until(() => lines.includes('full'));
    peer.socket.resume();
    await peer.receive(FLOOD);
  });

  await step('who is silent is closed after the idle timeout', async () => {
    const { lines, where } = await serve({ idleTimeout: 100 });
    const peer = await Peer.dial(where);
    await until(() => peer.socket.closed && lines.includes('idle'));
  });

  await step('a Unix socket serves, and its file goes with the service', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gev-'));
    onCleanup(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'socket');
    const { app } = await serve({ host: undefined, port: undefined, path });
    const peer = await Peer.dial({ path });
    peer.socket.write('hello');
    assert.equal(String(await peer.receive(5)), 'hello');
    peer.socket.destroy();
    await app.close();
    assert.deepEqual(readdirSync(folder), []);
  });

  await step('more than maxConnections are turned away', async () => {
    const { server, where, lines } = await serve({ maxConnections: 1 });
    await Peer.dial(where);
    await until(() => count(lines, 'open') === 1);
    const peer = await Peer.dial(where);
    await until(() => peer.socket.closed);
    assert.equal(server.stats().refused, 1);
  });
}
