import { describe, expect, it } from '@jest/globals';
import { RpcException } from '@nestjs/microservices';
import { type GevConnection, raw } from 'nestjs-gev';
import { randomBytes } from 'node:crypto';
import { interval, map, NEVER, Observable } from 'rxjs';
import { Peer } from '../kit/peer.js';
import { serve, type Handlers } from '../kit/serve.js';
import { pause, settled, until } from '../kit/until.js';

const MiB = 1024 * 1024;

/** Keeps why connections closed. */
function withCloses(handlers: Handlers = {}) {
  const closes: GevConnection[] = [];
  return {
    closes,
    handlers: { ...handlers, close: (_: string, each: GevConnection) => void closes.push(each) },
  };
}

describe.each([0, 2])('connections on %i loops', (loops) => {
  it('C1: a connection is one object with an id, addresses, state, counters and a data bag', async () => {
    const seen = new Set<GevConnection>();
    const states: string[] = [];
    const note = (connection: GevConnection): void => {
      seen.add(connection);
      states.push(connection.state);
    };
    const service = await serve(
      { loops },
      {
        connect(connection) {
          note(connection);
          connection.data.messages = 0;
        },
        message(data, connection) {
          note(connection);
          connection.data.messages = (connection.data.messages as number) + 1;
          return `${data.toString()}!`;
        },
        close: (_, connection) => note(connection),
      },
    );
    const before = Date.now();
    const peer = (await Peer.connect(service.port)).read();
    for (const word of ['one', 'two', 'three']) {
      peer.write(word);
      expect(await peer.text(word.length + 1)).toBe(`${word}!`);
    }
    const [connection] = service.server;
    expect(seen).toEqual(new Set([connection]));
    expect(connection).toMatchObject({
      ...{ state: 'open', bufferedBytes: 0, writable: true, data: { messages: 3 } },
      ...{ bytesReceived: 11, bytesSent: 14, messagesReceived: 3, messagesSent: 3 },
      ...{ remoteAddress: '127.0.0.1', remotePort: peer.port, remoteFamily: 'IPv4' },
      ...{ localAddress: '127.0.0.1', localPort: service.port, closeReason: undefined },
    });
    expect(Math.abs(connection!.openedAt - before)).toBeLessThan(5_000);
    expect(service.server.connections.get(connection!.id)).toBe(connection);
    peer.socket.end();
    await until(() => states.length === 5);
    expect(states).toEqual(['connecting', 'open', 'open', 'open', 'closed']);
    expect(seen.size).toBe(1);
    expect(connection).toMatchObject({ closeReason: 'peer', data: { messages: 3 } });
  });

  it('C1: ids are unique', async () => {
    const service = await serve({ loops });
    for (let round = 0; round < 5; round++) {
      const peers = await Peer.connectAll(20, service.port);
      await until(() => service.connections.length === 20 * (round + 1));
      for (const peer of peers) peer.socket.destroy();
      await until(() => service.server.connections.size === 0);
    }
    expect(new Set(service.connections.map(({ id }) => id)).size).toBe(100);
  });

  it('C2: no message is handled before asynchronous @OnConnect handlers have settled', async () => {
    const events: string[] = [];
    let admit!: () => void;
    const service = await serve(
      { loops },
      {
        async connect() {
          events.push('connect');
          await new Promise<void>((resolve) => (admit = resolve));
          events.push('settled');
          return 'welcome ';
        },
        message(data) {
          events.push(data.toString());
          return data;
        },
      },
    );
    const peer = await Peer.connect(service.port);
    peer.read().write('early');
    await until(() => admit !== undefined);
    expect(await settled(() => service.connections.length, 50)).toBe(0);
    admit();
    expect(await peer.text(13)).toBe('welcome early');
    expect(events).toEqual(['connect', 'settled', 'early']);
  });

  it('C2: a handler refuses a connection by throwing or closing; none of its messages is handled', async () => {
    const events: string[] = [];
    const service = await serve(
      { loops },
      {
        async connect(connection) {
          events.push('connect');
          if (events.length === 1) {
            connection.send('sorry');
            connection.close();
          } else {
            await pause(5);
            throw new RpcException('not you');
          }
        },
        message: () => void events.push('message'),
        close: (reason) => void events.push(reason),
      },
    );
    for (const words of ['sorry', '']) {
      const peer = await Peer.connect(service.port);
      peer.read().write('let me in');
      await until(() => peer.closed);
      expect(await peer.text(peer.length)).toBe(words);
      await until(() => events.at(-1) === 'local');
    }
    expect(events).toEqual(['connect', 'local', 'connect', 'local']);
    expect(service.connections).toEqual([]);
    expect(service.lines).toEqual([expect.stringMatching(/Connects.connect refused connection .* not you/)]);
  });

  it.each(['at once', 'after a while'])(
    'raw({ copy: false }) gives each handler its own message, answered %s',
    async (answered) => {
      const service = await serve(
        { loops, codec: raw({ copy: false }) },
        {
          async message(data) {
            const own = Buffer.from(data); // borrowed memory is valid here, also for a message that had to wait
            if (answered === 'at once') return data;
            await pause(1);
            return own;
          },
        },
      );
      const peers = await Peer.connectAll(10, service.port);
      await Promise.all(
        peers.map(async (peer, index) => {
          peer.read();
          const sent = randomBytes(answered === 'at once' ? MiB : 64 * 1024 + index);
          for (let start = 0; start < sent.length; start += 10_007) {
            peer.write(sent.subarray(start, start + 10_007));
          }
          expect((await peer.take(sent.length)).equals(sent)).toBe(true);
        }),
      );
    },
  );

  it('C3: data that a handler keeps does not change while 10,000 more messages come', async () => {
    const kept: Buffer[] = [];
    const copies: Buffer[] = [];
    let messages = 0;
    const service = await serve(
      { loops },
      {
        message(data) {
          if (messages++ % 50 === 0) {
            kept.push(data);
            copies.push(Buffer.from(data));
          }
          return 'k';
        },
      },
    );
    const peers = await Peer.connectAll(10, service.port);
    await Promise.all(
      peers.map(async (peer, index) => {
        peer.read();
        for (let round = 0; round < 1001; round++) {
          const size = round % 100 === 0 ? 100_000 : 1 + ((round * 37) % 700);
          peer.write(Buffer.alloc(size, 1 + ((index * 31 + round) % 255)));
          await peer.take(1);
        }
      }),
    );
    expect(messages).toBeGreaterThan(10_000);
    expect(kept.length).toBeGreaterThan(200);
    for (const [index, data] of kept.entries()) expect(data.equals(copies[index]!)).toBe(true);
  });

  it('C4: what connect, send and the return value write arrives in the order of the calls', async () => {
    const service = await serve(
      { loops },
      {
        connect(connection) {
          connection.send('a');
          return 'b';
        },
        async message(data, connection) {
          const text = data.toString();
          connection.send(`[${text}`);
          if (text.includes('later')) await pause(2);
          connection.send(Buffer.from('|'));
          return `${text}]`;
        },
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    expect(await peer.text(2)).toBe('ab');
    for (let round = 0; round < 100; round++) {
      const word = round % 3 === 0 ? `later${round}` : `now${round}`;
      const expected = `[${word}|${word}]`;
      peer.write(word);
      expect(await peer.text(expected.length)).toBe(expected);
    }
  });

  it('C4: so do replies to messages that came together, the slow ones first', async () => {
    const service = await serve(
      { loops },
      {
        async message(data) {
          await pause(Math.max(0, 20 - data.length));
          return data;
        },
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    let sent = '';
    for (let round = 0; round < 20; round++) {
      const word = String.fromCharCode(97 + round).repeat(round + 1);
      sent += word;
      peer.write(word);
      await pause(1);
    }
    expect(await peer.text(sent.length)).toBe(sent);
  });

  it("C5: reason 'peer' after FIN", async () => {
    const { closes, handlers } = withCloses();
    const { port } = await serve({ loops }, handlers);
    (await Peer.connect(port)).socket.end();
    await until(() => closes.length === 1);
    expect(closes[0]).toMatchObject({ closeReason: 'peer', closeError: undefined });
  });

  it("C5: reason 'reset' after RST, with the error of the system", async () => {
    const { closes, handlers } = withCloses({ message: () => 'ready' });
    const { port } = await serve({ loops }, handlers);
    const peer = (await Peer.connect(port)).read();
    peer.write('x');
    await peer.take(5);
    peer.reset();
    await until(() => closes.length === 1);
    expect(closes[0]).toMatchObject({
      closeReason: 'reset',
      closeError: { name: 'GevConnectionError', code: 'ECONNRESET', errno: 104 },
    });
  });

  it("C5: reason 'idle'", async () => {
    const { closes, handlers } = withCloses();
    const { port } = await serve({ loops, idleTimeout: 50 }, handlers);
    const peer = (await Peer.connect(port)).read();
    await until(() => closes.length === 1 && peer.closed);
    expect(closes[0]!.closeReason).toBe('idle');
  });

  it("C5: reason 'backpressure'", async () => {
    const { closes, handlers } = withCloses();
    const service = await serve({ loops, highWaterMark: MiB, maxSendBuffer: 2 * MiB }, handlers);
    await Peer.connect(service.port);
    const connection = await service.connection();
    const flood = setInterval(() => connection.state === 'open' && connection.send(Buffer.alloc(MiB)), 1);
    await until(() => closes.length === 1);
    clearInterval(flood);
    expect(connection.closeReason).toBe('backpressure');
  });

  it("C5: reason 'local', by close() and by destroy()", async () => {
    const { closes, handlers } = withCloses();
    const service = await serve({ loops }, handlers);
    for (const peer of await Peer.connectAll(2, service.port)) peer.read();
    (await service.connection(0)).close();
    (await service.connection(1)).destroy();
    await until(() => closes.length === 2);
    expect(closes.map(({ closeReason }) => closeReason)).toEqual(['local', 'local']);
  });

  it("C5: reason 'shutdown', and closed$ tells the reason to late subscribers too", async () => {
    const { closes, handlers } = withCloses();
    const service = await serve({ loops }, handlers);
    (await Peer.connect(service.port)).read();
    const connection = await service.connection();
    const reasons: string[] = [];
    connection.closed$.subscribe((reason) => reasons.push(reason));
    await service.close();
    connection.closed$.subscribe((reason) => reasons.push(reason));
    expect(reasons).toEqual(['shutdown', 'shutdown']);
    expect(closes).toEqual([connection]);
  });

  it('C6: a handler that throws or rejects costs its own message only', async () => {
    const service = await serve(
      { loops },
      {
        message(data) {
          const text = data.toString();
          if (text === 'throw') throw new Error('thrown');
          if (text === 'reject') return Promise.reject(new Error('rejected'));
          if (text === 'error') return new Observable((subscriber) => subscriber.error(new Error('emitted')));
          if (text === 'object') return { not: 'sendable' };
          return data;
        },
      },
    );
    const peers = (await Peer.connectAll(2, service.port)).map((peer) => peer.read());
    const received = (): number =>
      service.connections.reduce((sum, { messagesReceived }) => sum + messagesReceived, 0);
    for (const trouble of ['throw', 'reject', 'error', 'object']) {
      const before = received();
      peers[0]!.write(trouble);
      await until(() => received() > before);
      for (const peer of peers) {
        peer.write(`after ${trouble}`);
        expect(await peer.text(6 + trouble.length)).toBe(`after ${trouble}`);
      }
    }
    expect(service.lines[0]).toMatch(/^Messages.message failed on connection \d+ \(127.0.0.1:\d+\): /);
    expect(service.server.stats()).toMatchObject({ open: 2, handlers: { pending: 0 } });
  });

  it('C6: nor does a close handler that throws harm anybody', async () => {
    const service = await serve(
      { loops },
      {
        message: (data) => data,
        close() {
          throw new RpcException('in close');
        },
      },
    );
    const stays = (await Peer.connect(service.port)).read();
    for (let round = 0; round < 3; round++) (await Peer.connect(service.port)).reset();
    await until(() => service.lines.some((line) => line.startsWith('Closes.close failed')));
    stays.write('still');
    expect(await stays.text(5)).toBe('still');
  });

  it('C9: an Observable is unsubscribed when its connection closes', async () => {
    let subscribed = 0;
    let finalized = 0;
    const stream = new Observable<string>((subscriber) => {
      subscribed++;
      const ticks = interval(5)
        .pipe(map((tick) => `${tick};`))
        .subscribe(subscriber);
      return () => {
        finalized++;
        ticks.unsubscribe();
      };
    });
    const service = await serve({ loops }, { connect: () => stream, message: () => stream });
    const peers = (await Peer.connectAll(4, service.port)).map((peer) => peer.read());
    for (const peer of peers) {
      peer.write('more');
      await peer.take(20);
    }
    await until(() => subscribed === 8);
    expect(finalized).toBe(0);
    const connectionOf = (peer: Peer): GevConnection =>
      service.connections.find(({ remotePort }) => remotePort === peer.port)!;
    const [first, second, third, fourth] = peers as [Peer, Peer, Peer, Peer];
    first.reset();
    second.socket.destroy();
    connectionOf(third).close();
    connectionOf(fourth).destroy();
    await until(() => finalized === 8);
    await until(() => service.server.stats().open === 0);
    expect(service.server.stats().handlers.pending).toBe(0);
  });

  it('C9: an Observable that goes on does not keep a half-closed connection for ever', async () => {
    const { closes, handlers } = withCloses({ message: () => NEVER });
    const service = await serve({ loops, halfCloseTimeout: 200 }, handlers);
    const peer = await Peer.connect(service.port, { allowHalfOpen: true });
    peer.read().write('x');
    peer.socket.end();
    await until(() => closes.length === 1);
    expect(closes[0]!.closeReason).toBe('peer');
  });

  it('C10: after FIN pending and asynchronous replies are still written, then the connection closes', async () => {
    const { closes, handlers } = withCloses({
      async message(data, connection) {
        connection.send('soon ');
        await pause(50);
        return `late ${data.toString()}`;
      },
    });
    const service = await serve({ loops }, handlers);
    const peer = await Peer.connect(service.port, { allowHalfOpen: true });
    peer.read().socket.end('request');
    await until(() => peer.closed);
    expect(await peer.text(peer.length)).toBe('soon late request');
    expect(peer.events).toEqual(['end', 'close']);
    await until(() => closes.length === 1);
    expect(closes[0]!.closeReason).toBe('peer');
  });

  it('C10: a large reply to a request that ended with FIN arrives whole', async () => {
    const { closes, handlers } = withCloses({
      message: () => pause(20).then(() => Buffer.alloc(16 * MiB, 'z')),
    });
    const service = await serve({ loops }, handlers);
    const peer = await Peer.connect(service.port, { allowHalfOpen: true });
    peer.socket.end('request');
    expect((await peer.digest()).bytes).toBe(16 * MiB);
    await until(() => closes.length === 1);
    expect(closes[0]!.closeReason).toBe('peer');
  });
});
