import { describe, expect, it } from '@jest/globals';
import { GevError } from '../../src/core/errors.js';
import { HANDLER_MARKER } from '../../src/server/handlers/handler-marker.js';
import { FakeServer, until } from './support/fake-reactor.js';

describe('GevServer', () => {
  it('S12: status, on() and unwrap() work as on the servers of Nest', async () => {
    const server = new FakeServer();
    const seen: unknown[] = [];
    server.status.subscribe((status) => seen.push(status));
    server.on('listening', (address) => seen.push(address));
    server.on('connection', ({ id }) => seen.push(id));
    server.on('close', () => seen.push('close'));
    expect(server.unwrap().address()).toBeNull();
    expect(() => server.unwrap().reactor).toThrow('call listen() first');
    await server.start();
    expect(server.unwrap().reactor).toBe(server.reactor);
    server.reactor.open();
    await server.close();
    const address = { address: '127.0.0.1', port: 1833, family: 'IPv4' };
    expect(seen).toEqual(['connected', address, 1, 'disconnected', 'close']);
    expect(() => server.unwrap().reactor).toThrow('call listen() first');
  });

  it('S1: a listen that fails rejects, releases the reactor, and may be tried again', async () => {
    const server = new FakeServer();
    server.nextListenError = Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
    await expect(server.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(server.reactor.calls).toEqual(['listen', 'stop']);
    expect(server.address()).toBeNull();
    server.nextListenError = undefined;
    await expect(server.start()).resolves.toMatchObject({ port: 1833 });
    await expect(server.start()).rejects.toMatchObject({ code: 'ERR_GEV_ALREADY_LISTENING' });
    await server.close();
  });

  it('S8: close stops in order, once, however often it is called', async () => {
    const server = new FakeServer();
    await server.close();
    const starting = server.start();
    const closes = [server.close(), server.close()];
    expect(closes[0]).toBe(closes[1]);
    await Promise.all([starting, ...closes]);
    expect(server.reactor.calls).toEqual(['listen', 'quiesce', 'closeAll', 'stop']);
    await server.close();
    expect(server.reactor.calls).toHaveLength(4);
  });

  it('S8: close waits for handlers at work and for @OnClose handlers', async () => {
    const server = new FakeServer();
    const finished: string[] = [];
    for (const event of ['message', 'close'] as const) {
      const handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        finished.push(`${event} after ${server.reactor.calls.at(-1)}`);
      };
      server.addHandler('x', handler as never, false, {
        [HANDLER_MARKER]: { event, label: event, entered: 0 },
      });
    }
    await server.start();
    server.reactor.deliver(server.reactor.open(), 'a');
    await server.close();
    expect(finished).toEqual(['message after quiesce', 'close after closeAll']);
  });

  it('S8: close gives up on handlers after drainTimeout', async () => {
    const server = new FakeServer({ drainTimeout: 30 });
    const marker = { event: 'message' as const, label: 'stuck', entered: 0 };
    server.addHandler('x', (() => new Promise(() => undefined)) as never, false, {
      [HANDLER_MARKER]: marker,
    });
    await server.start();
    server.reactor.deliver(server.reactor.open(), 'a');
    let ended = false;
    void server.close().then(() => (ended = true));
    await until(() => ended, 'it ends at drainTimeout', 500);
  });

  it('lists connections and sends to those a filter picks', async () => {
    const server = new FakeServer();
    expect([...server]).toEqual([]);
    expect(server.broadcast('x')).toBe(0);
    await server.start();
    const [first, second] = [server.reactor.open(), server.reactor.open()];
    expect([...server].map(({ id }) => id)).toEqual([1, 2]);
    expect(server.broadcast('x', ({ id }) => id === 2)).toBe(1);
    expect([first.sent, second.sent]).toEqual([[], ['x']]);
    await server.close();
    expect(server.connections.size).toBe(0);
  });

  it('errors of the reactor are logged and emitted; a listener that throws harms nobody', async () => {
    const server = new FakeServer();
    await server.start();
    const error = new GevError('EMFILE', 'no descriptor left');
    server.reactor.handler.onError(error);
    expect(server.lines).toEqual(['no descriptor left']);
    const seen: unknown[] = [];
    server.on('error', (each) => seen.push(each));
    server.on('connection', () => {
      throw new Error('listener');
    });
    server.reactor.handler.onError(error);
    server.reactor.open();
    expect(seen).toEqual([error]);
    await until(() => server.lines.some((line) => line.includes('"connection" event failed: listener')));
  });

  it('processing hooks go around each message, each with a context of its own', async () => {
    const server = new FakeServer();
    const seen: string[] = [];
    const contexts = new Set<unknown>();
    const marker = { event: 'message' as const, label: 'hooked', entered: 0 };
    server.addHandler('x', (async (data: Buffer) => data) as never, false, { [HANDLER_MARKER]: marker });
    server.setOnProcessingStartHook((_, context, done) => {
      seen.push('start');
      contexts.add(context);
      void done();
    });
    server.setOnProcessingEndHook(() => void seen.push('end'));
    await server.start();
    const connection = server.reactor.open();
    server.reactor.deliver(connection, 'a', 'b');
    await until(() => connection.sent.length === 2);
    expect(seen).toEqual(['start', 'end', 'start', 'end']);
    expect(contexts.size).toBe(2);
  });
});

describe('timers of a server', () => {
  it('T3: those set before listen begin at listen, and none runs after close', async () => {
    const server = new FakeServer();
    let runs = 0;
    const timer = server.runEvery(100, () => runs++);
    expect(timer).toMatchObject({ active: true, runs: 0 });
    await server.start();
    const [native] = server.reactor.timers;
    await native!.tick();
    expect([runs, timer.runs]).toEqual([1, 1]);
    await server.close();
    await native!.tick();
    expect([runs, timer.active]).toEqual([1, false]);
  });

  it('T3: a handle and a signal cancel', async () => {
    const server = new FakeServer();
    await server.start();
    const abort = new AbortController();
    const timers = [
      server.runEvery(100, () => 0),
      server.runEvery(100, () => 0, { signal: abort.signal }),
      server.runAfter(100, () => 0, { signal: AbortSignal.abort() }),
    ];
    timers[0]!.cancel();
    abort.abort();
    expect(timers.map(({ active }) => active)).toEqual([false, false, false]);
    expect(server.reactor.timers.map(({ active }) => active)).toEqual([false, false]);
  });

  it('T1: runAfter runs once', async () => {
    const server = new FakeServer();
    await server.start();
    const timer = server.runAfter(5, () => 0);
    const [native] = server.reactor.timers;
    await native!.tick();
    await native!.tick();
    expect(timer).toMatchObject({ runs: 1, active: false });
  });

  it('T2: ticks are skipped while a promise is pending, unless overlap is asked for', async () => {
    const server = new FakeServer();
    await server.start();
    const pending = () => new Promise(() => undefined);
    const timers = [server.runEvery(5, pending), server.runEvery(5, pending, { overlap: true })];
    for (const native of server.reactor.timers) {
      void native.tick();
      void native.tick();
    }
    expect(timers.map(({ runs, skipped }) => [runs, skipped])).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  it('what one throws or rejects with is logged by name', async () => {
    const server = new FakeServer();
    await server.start();
    server.runEvery(5, () => Promise.reject(new Error('boom')), { name: 'push' });
    server.runAfter(5, function broken() {
      throw new Error('bang');
    });
    for (const native of server.reactor.timers) await native.tick();
    expect(server.lines).toEqual(['Timer "push" failed: boom', 'Timer "broken" failed: bang']);
  });

  it.each([0, -5, Number.NaN, 2 ** 31])('T4: %p ms is refused', (ms) => {
    const server = new FakeServer();
    const refusal = expect.objectContaining({ code: 'ERR_GEV_INVALID_INTERVAL' });
    expect(() => server.runEvery(ms, () => 0)).toThrow(refusal);
    expect(() => server.runAfter(ms, () => 0)).toThrow(refusal);
  });
});
