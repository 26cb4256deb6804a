import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { GevConnection } from '../../src/core/connection.js';
import { GevConnectError, type GevError, GevOptionsError } from '../../src/core/errors.js';
import type { ReactorOptions } from '../../src/core/options.js';
import { type DialTarget, Reactor, type ReactorHandler } from '../../src/core/reactor.js';
import { raw } from '../../src/protocol/raw.js';
import { onCleanup } from '../kit/cleanup.js';
import { block, until } from '../kit/until.js';

/** Writes down what a reactor tells it, in order. */
class Recorder implements ReactorHandler {
  readonly events: string[] = [];
  readonly connections: GevConnection[] = [];
  readonly texts = new Map<GevConnection, string>();
  readonly errors: GevError[] = [];
  onOpenExtra: ((connection: GevConnection) => void) | undefined;

  onOpen(connection: GevConnection): void {
    this.events.push('open');
    this.connections.push(connection);
    this.texts.set(connection, '');
    this.onOpenExtra?.(connection);
  }
  onMessage(connection: GevConnection, data: Buffer): void {
    this.texts.set(connection, this.texts.get(connection)! + data.toString());
  }
  onText(): void {
    throw new Error('raw bytes come by onMessage');
  }
  onEnd(connection: GevConnection): void {
    this.events.push('end');
    connection.close();
  }
  onClose(connection: GevConnection): void {
    this.events.push(`close ${connection.closeReason}`);
  }
  onError(error: GevError): void {
    this.errors.push(error);
  }
}

/** No options of a listener: such a reactor needs none. */
function optionsOf(loops: number): ReactorOptions {
  return { loops, codec: raw(), highWaterMark: 1024, maxSendBuffer: 1024 * 1024 };
}

async function startReactor(loops: number): Promise<{ reactor: Reactor; seen: Recorder }> {
  const seen = new Recorder();
  const reactor = new Reactor(optionsOf(loops), seen);
  onCleanup(() => reactor.stop());
  await reactor.start();
  return { reactor, seen };
}

/** A plain server that echoes; where it listens is a target to dial. */
async function echoServer(where: { host: string } | { path: string }): Promise<{
  server: Server;
  sockets: Socket[];
  target: DialTarget;
}> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) =>
    server.listen('path' in where ? where : { port: 0, ...where }, resolve),
  );
  const address = server.address()!;
  const target =
    typeof address === 'string' ? { path: address } : { host: address.address, port: address.port };
  return { server, sockets, target };
}

/** A port of the loopback on which nobody listens. */
async function closedPort(): Promise<number> {
  const { server, target } = await echoServer({ host: '127.0.0.1' });
  await new Promise((resolve) => server.close(resolve));
  return (target as { port: number }).port;
}

/** When what was dialled in this turn is in the hands of its loop, and no event of it was read yet. */
function afterFlush(): Promise<void> {
  return new Promise((resolve) =>
    queueMicrotask(() => process.nextTick(() => queueMicrotask(() => process.nextTick(resolve)))),
  );
}

/** A listener that accepts nobody, with as many waiting as it takes: a further SYN gets no answer. */
async function fullBacklog(): Promise<{ target: DialTarget }> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true },
  );
  onCleanup(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  for (let waiting = 0; waiting < 2; waiting++) {
    const socket = connect({ host: '127.0.0.1', port });
    onCleanup(() => socket.destroy());
    socket.on('error', () => undefined);
    await once(socket, 'connect');
  }
  return { target: { host: '127.0.0.1', port } };
}

async function failureOf(dial: Promise<GevConnection>): Promise<GevConnectError> {
  const outcome: unknown = await dial.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(GevConnectError);
  return outcome as GevConnectError;
}

function temporaryPath(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gev-dial-'));
  onCleanup(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}

describe.each([
  ['on threads', 2],
  ['inline', 0],
])('Reactor.dial %s', (_name, loops) => {
  it('announces the connection before it resolves, and from then on it is like an accepted one', async () => {
    const { target, sockets } = await echoServer({ host: '127.0.0.1' });
    const { reactor, seen } = await startReactor(loops);
    const connection = await reactor.dial(target, 5000);
    expect(seen.connections).toEqual([connection]);
    expect(reactor.connections.get(connection.id)).toBe(connection);
    expect(connection).toMatchObject({ state: 'open', remoteAddress: '127.0.0.1', remoteFamily: 'IPv4' });
    await until(() => sockets.length === 1);
    expect(connection.localPort).toBe(sockets[0]!.remotePort);
    connection.send('ping');
    await until(() => seen.texts.get(connection) === 'ping');
    expect(reactor.stats().loops.reduce((sum, loop) => sum + loop.connections, 0)).toBe(1);
    sockets[0]!.end();
    await until(() => seen.events.length === 3);
    expect(seen.events).toEqual(['open', 'end', 'close local']);
    await until(() => reactor.stats().loops.every((loop) => loop.connections === 0));
  });

  it('reaches IPv6 addresses and Unix sockets', async () => {
    const { reactor, seen } = await startReactor(loops);
    const path = temporaryPath('gev.sock');
    for (const where of [{ host: '::1' }, { path }]) {
      const { target } = await echoServer(where);
      const connection = await reactor.dial(target, 5000);
      expect(connection.remoteFamily).toBe('path' in where ? 'Unix' : 'IPv6');
      connection.send('hello');
      await until(() => seen.texts.get(connection) === 'hello');
    }
  });

  it('spreads dials over the loops in turn', async () => {
    const { target } = await echoServer({ host: '127.0.0.1' });
    const { reactor, seen } = await startReactor(loops);
    const connections = await Promise.all(Array.from({ length: 60 }, () => reactor.dial(target, 5000)));
    const count = Math.max(loops, 1);
    for (let loop = 0; loop < count; loop++) {
      expect(connections.filter((connection) => connection.loop === loop)).toHaveLength(60 / count);
    }
    for (const connection of connections) connection.send(`to ${connection.id}`);
    await until(() => connections.every((each) => seen.texts.get(each) === `to ${each.id}`));
  });

  it('rejects with the code of the system, the target and a remedy', async () => {
    const { reactor, seen } = await startReactor(loops);
    const port = await closedPort();
    const refused = await failureOf(reactor.dial({ host: '127.0.0.1', port }, 5000));
    expect(refused).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port, syscall: 'connect' });
    expect(refused.errno).toBeGreaterThan(0);
    expect(refused.message).toMatch(
      `Cannot connect to 127.0.0.1:${port}: ECONNREFUSED (nobody listens there`,
    );
    const path = temporaryPath('nobody.sock');
    const missing = await failureOf(reactor.dial({ path }, 5000));
    expect(missing).toMatchObject({ code: 'ENOENT', path });
    const long = await failureOf(reactor.dial({ path: path.padEnd(200, 'x') }, 5000));
    expect(long.code).toBe('ENAMETOOLONG');
    const scope = await failureOf(reactor.dial({ host: 'fe80::1%nothing', port }, 5000));
    expect(scope.code).toBe('EINVAL');
    expect(seen.connections).toEqual([]);
  });

  it('gives up with ETIMEDOUT when the peer has no room for the connection in time', async () => {
    const { target } = await fullBacklog();
    const { reactor, seen } = await startReactor(loops);
    const began = performance.now();
    const failure = await failureOf(reactor.dial(target, 150));
    expect(failure.code).toBe('ETIMEDOUT');
    expect(performance.now() - began).toBeGreaterThanOrEqual(149);
    expect(seen.events).toEqual([]);
  });

  it('gives up when its signal aborts, before, while and after it connects', async () => {
    const { target } = await fullBacklog();
    const { reactor, seen } = await startReactor(loops);
    const reason = new Error('enough');
    const early = await failureOf(reactor.dial(target, 5000, AbortSignal.abort(reason)));
    expect(early).toMatchObject({ code: 'ECANCELED', cause: reason });
    const controller = new AbortController();
    const dial = failureOf(reactor.dial(target, 5000, controller.signal));
    controller.abort(reason);
    expect(await dial).toMatchObject({ code: 'ECANCELED', cause: reason });
    expect(seen.events).toEqual([]);

    const { target: open, sockets } = await echoServer({ host: '127.0.0.1' });
    const late = new AbortController();
    const connection = await reactor.dial(open, 5000, late.signal);
    late.abort();
    connection.send('still here');
    await until(() => seen.texts.get(connection) === 'still here');
    expect(sockets).toHaveLength(1);
  });

  it('never announces a connection that came after the abort', async () => {
    const { target, sockets } = await echoServer({ host: '127.0.0.1' });
    const { reactor, seen } = await startReactor(loops);
    for (let round = 0; round < 50; round++) {
      const controller = new AbortController();
      const dial = failureOf(reactor.dial(target, 5000, controller.signal));
      // Some are cancelled before they begin; others have connected by then, and JavaScript is yet to hear of it.
      if (round % 2 === 0) await afterFlush();
      block(round % 3);
      controller.abort();
      await dial;
    }
    const last = await reactor.dial(target, 5000);
    await until(() => sockets.filter((socket) => !socket.destroyed).length === 1, 'the others are closed');
    expect(seen.connections.filter((connection) => connection.state !== 'closed')).toEqual([last]);
    await until(() => reactor.stats().loops.reduce((sum, loop) => sum + loop.connections, 0) === 1);
  });

  it('rejects pending dials with ECANCELED when the reactor closes or stops, and later ones at once', async () => {
    const { target } = await fullBacklog();
    for (const end of ['closeAll', 'stop'] as const) {
      const { reactor } = await startReactor(loops);
      const dials = [1, 2, 3].map(() => failureOf(reactor.dial(target, 0)));
      if (end === 'closeAll') await reactor.closeAll(1000);
      else await reactor.stop();
      for (const failure of await Promise.all(dials)) expect(failure.code).toBe('ECANCELED');
      expect((await failureOf(reactor.dial(target, 0))).code).toBe('ECANCELED');
      await reactor.stop();
    }
    const idle = new Reactor(optionsOf(loops), new Recorder());
    expect((await failureOf(idle.dial(target, 0))).message).toMatch('start() it first');
  });

  it('keeps its promise when a listener throws or closes the connection in onOpen', async () => {
    const { target } = await echoServer({ host: '127.0.0.1' });
    const { reactor, seen } = await startReactor(loops);
    seen.onOpenExtra = () => {
      throw new Error('from the listener');
    };
    const connection = await reactor.dial(target, 5000);
    expect(connection.state).toBe('open');
    expect(seen.errors).toHaveLength(1);
    seen.onOpenExtra = (each) => each.destroy();
    expect((await reactor.dial(target, 5000)).state).toBe('closing');
    await until(() => seen.events.includes('close local'));
  });

  it('refuses what cannot be dialled, naming the value', async () => {
    const { reactor } = await startReactor(loops);
    const port = 1;
    await expect(reactor.dial({ host: 'localhost', port }, 1)).rejects.toThrow(GevOptionsError);
    await expect(reactor.dial({ host: 'localhost', port }, 1)).rejects.toThrow('look it up first');
    await expect(reactor.dial({ host: '::1', port: 65_536 }, 1)).rejects.toThrow('not 65536');
    await expect(reactor.dial({ host: '::1', port }, NaN)).rejects.toThrow('not NaN');
    await expect(reactor.dial({ host: '::1', port }, -1)).rejects.toThrow('not -1');
  });

  it('starts once', async () => {
    const { reactor } = await startReactor(loops);
    await expect(reactor.start()).rejects.toMatchObject({ code: 'ERR_GEV_ALREADY_LISTENING' });
    await reactor.stop();
    await expect(reactor.start()).rejects.toMatchObject({ code: 'ERR_GEV_ALREADY_LISTENING' });
  });
});
