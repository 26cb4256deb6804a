import { describe, expect, it, jest } from '@jest/globals';
import { type GevConnection, raw } from 'nestjs-gev';
import { Reactor, type ReactorHandler, type ReactorOptions } from 'nestjs-gev/core';
import { interval, map, Observable } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { pendingReplies } from '../kit/pending-replies.js';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const boom = (what: string) => (): never => {
  throw new Error(`${what} fails`);
};

describe.each([0, 2])('what throws in a callback, on %i loops', (loops) => {
  it('U1: a send() callback that throws harms no other callback, nor the end of its connection', async () => {
    const closes: string[] = [];
    let ticks = 0;
    const { port, connection, lines, server } = await serve(
      { loops },
      {
        message: () => interval(1).pipe(map(() => void ticks++)),
        close: (reason) => closes.push(reason),
      },
    );
    const peer = await Peer.connect(port);
    const conn = await connection();
    peer.write('x');
    await until(() => ticks > 0);
    const settled: string[] = [];
    conn.closed$.subscribe((reason) => settled.push(`closed$ ${reason}`));
    conn.send('a', boom('written'));
    conn.send('b', (error) => settled.push(`b ${String(error?.code)}`));
    await conn.sendAsync('c');
    const full = Buffer.alloc(16 * 1024 * 1024);
    conn.send(full, boom('lost'));
    conn.send('d', (error) => settled.push(`d ${String(error?.code)}`));
    const lost = expect(conn.sendAsync('e')).rejects.toMatchObject({ code: 'ERR_GEV_CONNECTION_CLOSED' });
    conn.destroy();
    await lost;
    await until(() => closes.length > 0);
    expect(settled).toEqual(['b undefined', 'd ERR_GEV_CONNECTION_CLOSED', 'closed$ local']);
    expect(closes).toEqual(['local']);
    const after = ticks;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ticks).toBe(after);
    expect(server.stats().open).toBe(0);
    expect(lines[0]).toMatch(/^A send\(\) callback failed on connection \d+ .*: written fails$/);
  });

  it('U1: callbacks of sends that are refused or overflow may throw, too', async () => {
    const { port, connection, lines } = await serve({ loops, maxSendBuffer: 1024 });
    await Peer.connect(port);
    const conn = await connection();
    let later: unknown;
    conn.send(Buffer.alloc(4096), boom('overflow'));
    conn.send('x', boom('refused'));
    conn.send('y', (error) => (later = error));
    await until(() => later !== undefined);
    await until(() => conn.state === 'closed');
    expect(conn.closeReason).toBe('backpressure');
    expect(lines.join('\n')).toContain('overflow fails');
    // What was never sent is not counted.
    expect([conn.bytesSent, conn.messagesSent]).toEqual([0, 0]);
  });

  it('U1: a filter of broadcast() that throws leaves out its connection and spoils no counter', async () => {
    const { port, connection, lines, server } = await serve({ loops });
    const peers = await Peer.connectAll(3, port);
    await connection(2);
    const failing = await connection(1);
    for (const peer of peers) peer.read();
    let asked = 0;
    const count = server.broadcast('hello', (conn) => {
      asked++;
      if (conn === failing) throw new Error('the filter fails');
      return true;
    });
    expect([asked, count]).toEqual([3, 2]);
    await until(() => peers.reduce((sum, { length }) => sum + length, 0) === 10);
    await until(() => [...server].every(({ bufferedBytes }) => bufferedBytes === 0));
    expect(failing.bytesSent).toBe(0);
    expect(lines[0]).toMatch(/^The filter of broadcast\(\) failed on connection \d+ .*: the filter fails$/);
  });

  it('U1: listeners that throw or reject harm no other listener', async () => {
    const { port, server, lines, connection } = await serve({ loops });
    const seen: string[] = [];
    server.on('connection', boom('first'));
    server.on('connection', async () => boom('second')());
    server.on('connection', () => seen.push('third'));
    server.unwrap().once('connection', () => seen.push('once'));
    const removed = (): void => void seen.push('removed');
    server.unwrap().on('connection', removed).once('connection', removed).off('connection', removed);
    server.unwrap().off('connection', removed);
    await Peer.connect(port);
    await connection();
    await Peer.connect(port);
    await connection(1);
    await until(() => seen.length >= 3);
    expect(seen).toEqual(['third', 'once', 'third']);
    expect(lines).toEqual(['A listener of the server\'s "connection" event failed: first fails']);
  });

  it('U1: subscribers that throw end no process, and each is told of all the same', async () => {
    const { port, server, lines, connection } = await serve({ loops });
    const seen: string[] = [];
    server.status.subscribe(boom('status'));
    server.connections$.subscribe(boom('connections$'));
    server.connections$.pipe(map(boom('an operator of connections$'))).subscribe();
    server.connections$.subscribe(() => seen.push('connection'));
    const peer = await Peer.connect(port);
    const conn = await connection();
    conn.messages$.subscribe({ next: boom('messages$'), complete: boom('the end of messages$') });
    conn.messages$.subscribe((data) => seen.push(data.toString()));
    conn.closed$.subscribe(boom('closed$'));
    conn.closed$.subscribe((reason) => seen.push(reason));
    peer.write('x');
    await until(() => seen.length === 2);
    peer.socket.destroy();
    await until(() => seen.length === 3);
    conn.closed$.subscribe(boom('closed$, late,'));
    await new Promise((resolve) => setTimeout(resolve, 20)); // RxJS would throw in a timer
    expect(seen).toEqual(['connection', 'x', 'peer']);
    expect(lines.find((line) => line.startsWith('A subscriber of messages$'))).toMatch(
      /^A subscriber of messages\$ failed on connection \d+ .*: messages\$ fails$/,
    );
    for (const name of ['status', 'connections$', 'closed$']) {
      expect(lines.some((line) => line.includes(`A subscriber of ${name} failed`))).toBe(true);
    }
  });

  it('U1: the teardown of a reply that throws stops no other, nor the close event', async () => {
    const closes: string[] = [];
    let torn = 0;
    const { port, connection, lines } = await serve(
      { loops },
      {
        message: () =>
          new Observable(() => () => {
            torn++;
            throw new Error('the teardown fails');
          }),
        close: (reason) => closes.push(reason),
      },
    );
    const peer = await Peer.connect(port);
    const conn = await connection();
    peer.write('a');
    await until(() => conn.messagesReceived === 1);
    await settled(() => pendingReplies(conn), 30);
    peer.write('b');
    await until(() => pendingReplies(conn) === 2);
    peer.reset();
    await until(() => closes.length > 0);
    expect([torn, closes.length, pendingReplies(conn)]).toEqual([2, 1, 0]);
    expect(lines[0]).toContain('the teardown fails');
  });
});

describe.each([0, 1])('a Reactor on %i loops', (loops) => {
  const options: ReactorOptions = {
    ...{ host: '127.0.0.1', port: 0, loops, codec: raw(), closeTimeout: 1000, halfCloseTimeout: 1000 },
    ...{ highWaterMark: 65_536, maxSendBuffer: 2 ** 20 },
  };

  const handler = (overrides: Partial<ReactorHandler>): ReactorHandler => ({
    ...{ onOpen() {}, onMessage() {}, onText() {}, onEnd() {}, onClose() {}, onError() {} },
    ...overrides,
  });

  async function listen(overrides: Partial<ReactorHandler>) {
    const reactor = new Reactor(options, handler(overrides));
    onCleanup(() => reactor.stop());
    const { port } = (await reactor.listen()) as { port: number };
    return { reactor, port };
  }

  it('U1: handlers that throw, onError among them, lose no event', async () => {
    const counts = { open: 0, message: 0, close: 0, error: 0 };
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onCleanup(() => warn.mockRestore());
    const failing = (what: keyof typeof counts) => (): never => {
      counts[what]++;
      throw new Error(`${what} fails`);
    };
    const { port } = await listen({
      onOpen: failing('open'),
      onMessage: failing('message'),
      onClose: failing('close'),
      onError: failing('error'),
    });
    const peers = await Peer.connectAll(10, port);
    for (const peer of peers) peer.write('x');
    await until(() => counts.message === 10);
    for (const peer of peers) peer.reset();
    await until(() => counts.close === 10);
    expect(counts).toEqual({ open: 10, message: 10, close: 10, error: 30 });
    expect(warn).toHaveBeenCalledWith(
      expect.stringContaining("onError of a reactor's handler failed: error fails"),
    );
  });

  it('U2: stop() in a handler is the end: every connection closes once, and nothing comes after it', async () => {
    let stopped: Promise<void> | undefined;
    let over = false;
    const after: string[] = [];
    const states = new Map<GevConnection, string[]>();
    const note = (event: string) => (conn: GevConnection) => {
      if (over) after.push(event);
      states.set(conn, [...(states.get(conn) ?? []), event]);
    };
    const { reactor, port } = await listen({
      onOpen(conn) {
        note('open')(conn);
        if (states.size < 5 || stopped !== undefined) return;
        stopped = reactor.stop();
        over = true;
      },
      onMessage: note('message'),
      onClose: note('close'),
    });
    const dialling = Array.from({ length: 20 }, () => Peer.connect(port).catch(() => undefined));
    await until(() => stopped !== undefined);
    await stopped;
    await Promise.all(dialling);
    await settled(() => after.length, 50);
    expect(after).toEqual([]);
    expect([...states.values()].every((events) => events.join() === 'open,close')).toBe(true);
    expect([reactor.connections.size, reactor.broadcast('x')]).toEqual([0, 0]);
    expect(() => reactor.runAfter(1, () => undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_GEV_NOT_LISTENING' }),
    );
  });

  it('T4: delays that no timer can wait are refused', async () => {
    const { reactor } = await listen({});
    for (const ms of [Infinity, Number.NaN, -1, 0, 1.5, 2 ** 31]) {
      const refused = expect.objectContaining({ code: 'ERR_GEV_INVALID_INTERVAL' });
      expect(() => reactor.runAfter(ms, () => undefined)).toThrow(refused);
      expect(() => reactor.runEvery(ms, () => undefined)).toThrow(refused);
    }
  });

  it('U2: quiesce() and closeAll() called twice resolve twice', async () => {
    const { reactor, port } = await listen({});
    await Peer.connect(port);
    await until(() => reactor.connections.size === 1);
    await Promise.all([reactor.quiesce(), reactor.quiesce()]);
    await reactor.quiesce();
    await Promise.all([reactor.closeAll(1000), reactor.closeAll(1000)]);
    expect(reactor.connections.size).toBe(0);
  });
});

describe.each([0, 2])('sending without care, on %i loops', (loops) => {
  it('U3: trySend() never throws: false says that the connection is gone, and is counted', async () => {
    const { server, port, connection } = await serve({ loops, maxSendBuffer: 1 << 20, highWaterMark: 1024 });
    const peer = await Peer.connect(port);
    const conn = await connection();
    expect(conn.trySend('hello')).toBe(true);
    expect(conn.trySend(Buffer.alloc(4096))).toBe(true); // above the high-water mark, and sent
    expect((await peer.read().take(4101)).toString('latin1').slice(0, 5)).toBe('hello');
    expect([conn.messagesSent, server.stats().refusedSends]).toEqual([2, 0]);
    conn.close();
    expect(conn.trySend('late')).toBe(false);
    await until(() => conn.state === 'closed');
    expect(conn.trySend('later')).toBe(false);
    expect(() => conn.send('later')).toThrow(expect.objectContaining({ code: 'ERR_GEV_CONNECTION_CLOSED' }));
    expect([conn.bytesSent, conn.messagesSent, server.stats().refusedSends]).toEqual([4101, 2, 2]);

    await Peer.connect(port);
    const other = await connection(1);
    expect(other.trySend(Buffer.alloc((1 << 20) + 1))).toBe(false);
    expect([other.bytesSent, server.stats().refusedSends]).toEqual([0, 3]);
    await until(() => other.state === 'closed');
    expect(other.closeReason).toBe('backpressure');
  });

  it('U1, U3: what is no data is refused with the remedy, and spoils no counter', async () => {
    const { server, port, connection, lines } = await serve({ loops });
    const peer = (await Peer.connect(port)).read();
    const conn = await connection();
    for (const wrong of [42, {}, new ArrayBuffer(4), new Uint16Array(2), undefined, null] as never[]) {
      const refused = expect.objectContaining({ code: 'ERR_GEV_HANDLER' });
      expect(() => conn.send(wrong)).toThrow(refused);
      expect(() => server.broadcast(wrong)).toThrow(refused);
      await expect(conn.sendAsync(wrong)).rejects.toEqual(refused);
      expect(conn.trySend(wrong)).toBe(false);
    }
    expect([conn.bytesSent, conn.messagesSent, conn.bufferedBytes, conn.writable]).toEqual([0, 0, 0, true]);
    expect(lines[0]).toMatch(
      /^trySend\(\) failed on connection \d+ .*: a Number cannot be sent: give a Buffer/,
    );
    conn.send('x');
    expect(await peer.text(1)).toBe('x');
  });

  it('U1: callbacks of the handle that throw end no process', async () => {
    const { server, lines } = await serve({ loops });
    server.unwrap().getConnections(boom('getConnections'));
    await server.unwrap().close(boom('close'));
    await until(() => lines.length >= 2);
    expect(lines).toEqual([
      'A getConnections() callback failed: getConnections fails',
      'A close() callback failed: close fails',
    ]);
  });

  it('W2: a broadcast above the high-water mark makes writable false, and drain$ follows', async () => {
    const { server, port, connection } = await serve({ loops, highWaterMark: 1024, lowWaterMark: 512 });
    const peer = await Peer.connect(port);
    const conn = await connection();
    let drains = 0;
    conn.drain$.subscribe(() => drains++);
    server.broadcast(Buffer.alloc(1024));
    expect(conn.writable).toBe(true); // at the mark, not above it
    for (const size of [4096, 8 * 1024 * 1024]) {
      const before = drains;
      server.broadcast(Buffer.alloc(size));
      expect(conn.writable).toBe(false);
      peer.read();
      await until(() => drains > before);
      expect(conn.writable).toBe(true);
      peer.pause();
    }
    expect(drains).toBe(2);
  });
});
