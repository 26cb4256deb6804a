import { describe, expect, it } from '@jest/globals';
import { NEVER, of, Subject, throwError, type Observable } from 'rxjs';
import type { GevContext } from '../../src/context/gev.context.js';
import { HANDLER_MARKER, patternOf, type ConnectionEvent } from '../../src/server/handlers/handler-marker.js';
import { FakeServer, settle, until } from './support/fake-reactor.js';

type Handler = (data: any, context: GevContext) => unknown;

/** Registers a handler as Nest does: a method inside an async pipeline. */
function handle(server: FakeServer, event: ConnectionEvent, method: Handler): void {
  const marker = { event, label: `Test.${event}`, entered: 0 };
  const proxy = async (data: unknown, context: GevContext) => {
    marker.entered++;
    return method(data, context);
  };
  server.addHandler(patternOf(event), proxy as never, false, { [HANDLER_MARKER]: marker });
}

async function serve(
  handlers: Partial<Record<ConnectionEvent, Handler>>,
  options: ConstructorParameters<typeof FakeServer>[0] = {},
) {
  const server = new FakeServer(options);
  for (const [event, method] of Object.entries(handlers)) handle(server, event as ConnectionEvent, method);
  await server.start();
  return { server, reactor: server.reactor };
}

const later = <Value>(value: Value, ms = 5): Promise<Value> =>
  new Promise((resolve) => setTimeout(() => resolve(value), ms));

describe('connection events: connect', () => {
  it('C2: a connection is admitted when all @OnConnect handlers have settled', async () => {
    const { server, reactor } = await serve({ connect: () => later('hello') });
    let settle = (): void => undefined;
    handle(server, 'connect', () => new Promise<void>((resolve) => (settle = resolve)));
    await server.close();
    await server.start();
    const seen: number[] = [];
    server.connections$.subscribe(({ id }) => seen.push(id));
    const connection = server.reactor.open();
    await until(() => connection.sent.length === 1);
    expect(server.reactor.calls).toEqual(['listen']);
    expect(seen).toEqual([]);
    settle();
    await until(() => connection.state === 'open');
    expect(server.reactor.calls).toEqual(['listen', `admit ${connection.id}`]);
    expect(seen).toEqual([connection.id]);
    expect(reactor.calls).toContain('stop');
  });

  it('C2: one that rejects refuses the connection, with a log line that names it', async () => {
    const { server, reactor } = await serve({ connect: () => Promise.reject(new Error('not you')) });
    const connection = reactor.open();
    await until(() => connection.state === 'closed');
    expect(reactor.calls).toEqual(['listen']);
    expect(server.lines).toEqual(['Test.connect refused connection 1 (127.0.0.1:50000): not you']);
  });

  it('C2: so does an error packet of Nest, which is an Observable that fails', async () => {
    const forbidden = { status: 'error', message: 'Forbidden resource' };
    const { server, reactor } = await serve({ connect: () => throwError(() => forbidden) });
    const connection = reactor.open();
    await until(() => connection.state === 'closed');
    expect(reactor.calls).toEqual(['listen']);
    expect(server.lines[0]).toContain('Forbidden resource');
  });

  it('one that closes the connection itself is not followed by an admission', async () => {
    const { server, reactor } = await serve({ connect: (connection) => connection.close() });
    const connection = reactor.open();
    await until(() => connection.state === 'closed');
    expect(reactor.calls).toEqual(['listen']);
    expect(server.lines).toEqual([]);
  });

  it('C9: its Observable may push for ever, and is unsubscribed when the connection closes', async () => {
    const news = new Subject<string>();
    const { reactor } = await serve({ connect: () => news });
    const connection = reactor.open();
    await until(() => connection.state === 'open');
    news.next('one');
    news.next('two');
    expect(connection.sent).toEqual(['one', 'two']);
    expect(connection.pendingReplies).toBe(0);
    reactor.end(connection);
    await until(() => connection.state === 'closed');
    expect(news.observed).toBe(false);
  });

  it('its Observable ends the connection when it fails later', async () => {
    const news = new Subject<string>();
    const { server, reactor } = await serve({ connect: () => news });
    const connection = reactor.open();
    await until(() => connection.state === 'open');
    news.error(new Error('no more news'));
    await until(() => connection.state === 'closed');
    expect(server.lines[0]).toContain('no more news');
  });
});

describe('connection events: messages', () => {
  it('C4: replies leave in the order of the messages, whatever time each takes', async () => {
    const { reactor } = await serve({
      message: (data: Buffer) => later(data, data.toString() === 'a' ? 20 : 1),
    });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'b', 'c');
    await until(() => connection.sent.length === 3);
    expect(connection.sent).toEqual(['a', 'b', 'c']);
    expect(connection.pendingReplies).toBe(0);
  });

  it('handles as many at a time as concurrency says, each with a context of its own', async () => {
    let running = 0;
    let most = 0;
    const contexts = new Set<GevContext>();
    const message = async (_: Buffer, context: GevContext) => {
      contexts.add(context);
      most = Math.max(most, ++running);
      await later(0);
      running--;
    };
    const { reactor } = await serve({ message }, { concurrency: 3 });
    const connection = reactor.open();
    reactor.deliver(connection, ...'abcdefgh');
    await until(() => connection.pendingReplies === 0);
    expect(most).toBe(3);
    expect(contexts.size).toBe(8);
  });

  it('gives each message a context of its own where they are handled one at a time, too', async () => {
    const contexts = new Set<GevContext>();
    const { reactor } = await serve({ message: (_, context) => void contexts.add(context) });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'b');
    await until(() => connection.pendingReplies === 0);
    expect(contexts.size).toBe(2);
    for (const context of contexts) {
      expect(context.getConnection()).toBe(connection);
      expect(context.getPattern()).toBe('gev:message');
    }
  });

  it('waits for every handler of a message before the next', async () => {
    const order: string[] = [];
    const { server } = await serve({});
    for (const ms of [1, 15])
      handle(
        server,
        'message',
        async (data: Buffer) => void order.push(`${await later(ms, ms)}${String(data)}`),
      );
    await server.close();
    await server.start();
    const connection = server.reactor.open();
    server.reactor.deliver(connection, 'a', 'b');
    await until(() => connection.pendingReplies === 0);
    expect(order).toEqual(['1a', '15a', '1b', '15b']);
  });

  it('sends bytes and text, nothing for undefined and null, and reports what cannot be sent', async () => {
    const results: unknown[] = [
      'text',
      Buffer.from('buffer'),
      new Uint8Array([104, 105]),
      undefined,
      null,
      5,
      {},
    ];
    const { server, reactor } = await serve({ message: () => results.shift() });
    const connection = reactor.open();
    reactor.deliver(connection, ...'1234567');
    await until(() => connection.pendingReplies === 0);
    expect(connection.sent).toEqual(['text', 'buffer', 'hi']);
    expect(server.lines[0]).toMatch(
      /Test\.message failed on connection 1 .*: a Number cannot be sent: return a Buffer/,
    );
  });

  it('C6: one that throws costs its own message only', async () => {
    const message = (data: Buffer) => {
      if (data.toString() === 'bad') throw new Error('boom');
      return data;
    };
    const { server, reactor } = await serve({ message });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'bad', 'b');
    await until(() => connection.pendingReplies === 0);
    expect(connection.sent).toEqual(['a', 'b']);
    expect(server.lines).toEqual(['Test.message failed on connection 1 (127.0.0.1:50000): boom']);
  });

  it('S11: a flood of one error is one line a second, with a count', async () => {
    const { server, reactor } = await serve({ message: () => Promise.reject(new Error('boom')) });
    const connection = reactor.open();
    reactor.deliver(connection, ...Array<string>(500).fill('x'));
    await until(() => connection.pendingReplies === 0);
    expect(server.lines).toHaveLength(1);
    await until(() => server.lines.length > 1);
    expect(server.lines[1]).toContain('(499 of this kind within the last second)');
  });

  it('an Observable is written as it emits and holds up neither the next message nor anything else', async () => {
    const streams: Observable<string>[] = [NEVER, of('x', 'y')];
    const { reactor } = await serve({ message: () => streams.shift() });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'b');
    await until(() => connection.sent.length === 2);
    expect(connection.sent).toEqual(['x', 'y']);
    expect(connection.pendingReplies).toBe(1);
  });

  it('C9: an Observable is unsubscribed when the connection closes', async () => {
    const stream = new Subject<string>();
    const { server, reactor } = await serve({ message: () => stream });
    const connection = reactor.open();
    reactor.deliver(connection, 'a');
    await until(() => stream.observed);
    reactor.drop(connection, 'reset');
    expect(stream.observed).toBe(false);
    expect(connection.pendingReplies).toBe(0);
    expect(server.stats().handlers.pending).toBe(0);
  });

  it('C10: after FIN the connection is finished with its last reply', async () => {
    const { reactor } = await serve({ message: (data) => later(data, 15) });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'b');
    reactor.end(connection);
    await settle(5);
    expect(reactor.calls).toEqual(['listen']);
    await until(() => connection.state === 'closed');
    expect(connection.sent).toEqual(['a', 'b']);
    expect(reactor.calls).toEqual(['listen', 'finish 1']);
  });

  it('waiting messages are dropped when the connection closes, and when a handler closes it', async () => {
    let handled = 0;
    const { server, reactor } = await serve({
      message: async (_, context) => {
        handled++;
        await later(0);
        context.getConnection().close();
        return 'late';
      },
    });
    const connection = reactor.open();
    reactor.deliver(connection, 'a', 'b', 'c');
    await until(() => connection.state === 'closed');
    expect(handled).toBe(1);
    expect(connection.sent).toEqual([]);
    expect(connection.pendingReplies).toBe(0);
    expect(server.stats().handlers).toMatchObject({ pending: 0, lateReplies: 1, droppedValues: 0 });
  });

  it('reading pauses while too much waits for a handler, and resumes', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const { reactor } = await serve({ message: () => gate }, { highWaterMark: 1000 });
    const connection = reactor.open();
    reactor.deliver(connection, ...Array<string>(20).fill('x'.repeat(100)));
    expect(reactor.calls).toEqual(['listen', 'pause 1']);
    open();
    await until(() => connection.pendingReplies === 0);
    expect(reactor.calls).toEqual(['listen', 'pause 1', 'resume 1']);
  });
});

describe('connection events: close', () => {
  it('C5: runs once with the reason', async () => {
    const seen: unknown[] = [];
    const { reactor } = await serve({
      close: (reason, context) => void seen.push([reason, context.getReason()]),
    });
    const connection = reactor.open();
    reactor.drop(connection, 'idle');
    expect(seen).toEqual([['idle', 'idle']]);
  });

  it('S10: waits for @OnConnect, but not for a message that is being handled', async () => {
    const order: string[] = [];
    const { reactor } = await serve({
      connect: async () => void order.push(await later('connect', 15)),
      close: () => void order.push('close'),
    });
    reactor.drop(reactor.open(), 'reset');
    await until(() => order.length === 2);
    expect(order).toEqual(['connect', 'close']);

    const busy = await serve({
      message: () => new Promise(() => undefined),
      close: () => void order.push('closed'),
    });
    const connection = busy.reactor.open();
    busy.reactor.deliver(connection, 'a');
    busy.reactor.drop(connection, 'reset');
    expect(order.at(-1)).toBe('closed');
  });

  it('C6: one that throws is logged', async () => {
    const { server, reactor } = await serve({ close: () => Promise.reject(new Error('boom')) });
    reactor.drop(reactor.open(), 'peer');
    await until(() => server.lines.length === 1);
    expect(server.lines[0]).toBe('Test.close failed on connection 1 (127.0.0.1:50000): boom');
  });
});
