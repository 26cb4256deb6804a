import { describe, expect, it, jest } from '@jest/globals';
import { Transport, type MessageHandler, type ReadPacket, type WritePacket } from '@nestjs/microservices';
import {
  GevClient,
  GevRecordBuilder,
  GevServer,
  OnConnect,
  raw,
  RunEvery,
  type GevNetworkAddress,
} from 'nestjs-gev';
import { lastValueFrom, map, of, type Observable, type Observer, type Subscription } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { FramePeer, serveEcho } from '../kit/frames.js';
import { Peer } from '../kit/peer.js';
import { pause, until } from '../kit/until.js';

describe.each([0, 2])('a drop-in on %i loops', (loops) => {
  it('N1: JSON that is no packet is an event that nobody handles, and the connection goes on', async () => {
    const { port, lines } = await serveEcho({ loops });
    const client = await FramePeer.connect(port);
    client.write('{}', 'null', '[]', '"x"', '5', 'true', '{"data":1}', ...Array<string>(1_000).fill('{}'));
    client.write({ pattern: 'echo', data: 'still here', id: '1' });
    expect(await client.packets(1)).toEqual([{ response: 'still here', isDisposed: true, id: '1' }]);
    expect(client.closed).toBe(false);
    expect(lines[0]).toMatch('There is no handler for the event "undefined"');
  });

  it('N2: white space in front of a length is skipped, as people and scripts leave line ends', async () => {
    const { port } = await serveEcho({ loops, incompleteFrameTimeout: 200 });
    const client = await FramePeer.connect(port);
    const text = JSON.stringify({ pattern: 'echo', data: 1, id: '1' });
    client.peer.write(`${text.length}#${text}\r\n \t${text.length}#${text}\n`);
    await client.packets(2);
    // The last line end begins no frame: the connection outlives the time limit of incomplete ones.
    await pause(500);
    client.peer.write(`${text.length}#${text}`);
    await client.packets(1);
    client.peer.write(' '.repeat(17));
    await until(() => client.closed);
  });
});

describe('a drop-in', () => {
  const warningsOf = async (server: GevServer, logger: { warn: jest.Mock }): Promise<string[]> => {
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    return logger.warn.mock.calls.map(([line]) => String(line));
  };
  const quiet = () => ({ log: jest.fn(), warn: jest.fn(), error: jest.fn() });
  const local = { host: '127.0.0.1', port: 0, loops: 0 };

  it('N3: unwrap() before listen gives what listeners and health checks hold on to', async () => {
    const server = new GevServer({ ...local, codec: raw() });
    const handle = server.unwrap();
    const ports: unknown[] = [];
    handle.addListener('connection', ({ remotePort }) => ports.push(remotePort));
    expect([handle.listening, handle.address(), [...handle]]).toEqual([false, null, []]);
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    expect(server.unwrap()).toBe(handle);
    const peer = await Peer.connect((handle.address() as GevNetworkAddress).port);
    await until(() => ports.length > 0);
    expect(ports).toEqual([peer.port]);
    const count = new Promise((resolve) => handle.getConnections((_, open) => resolve(open)));
    await expect(count).resolves.toBe(1);
    expect(handle.listenerCount('connection')).toBe(1);
    expect(handle.removeAllListeners('connection').listenerCount('connection')).toBe(0);
  });

  it.each([
    ['getHandlerByPattern', 'anything', 'anything was looked up'],
    ['send', 'known', 'sent known'],
    ['transformToObservable', 'known', 'made known'],
  ])('N4: an overridden %s() is called', async (method, pattern, expected) => {
    class Own extends GevServer {
      override getHandlerByPattern(asked: string): MessageHandler | null {
        if (method !== 'getHandlerByPattern') return super.getHandlerByPattern(asked);
        return () => Promise.resolve(`${asked} was looked up`);
      }
      override send(...[source, respond]: Parameters<GevServer['send']>): Subscription {
        if (method !== 'send') return super.send(source, respond);
        return super.send(source.pipe(map((value) => `sent ${String(value)}`)), respond);
      }
      override transformToObservable<T>(result: Observable<T> | Promise<T>): never {
        const source = super.transformToObservable(result as Promise<T>) as Observable<unknown>;
        if (method !== 'transformToObservable') return source as never;
        return source.pipe(map((value) => `made ${String(value)}`)) as never;
      }
    }
    // Unless the method is overridden it is not called at all: define only the one.
    const prototype = Own.prototype as unknown as Record<string, unknown>;
    for (const name of ['getHandlerByPattern', 'send', 'transformToObservable']) {
      if (name !== method) delete prototype[name];
    }
    const server = new Own(local);
    server.addHandler('known', (data: unknown) => Promise.resolve(of(data)) as never);
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    const client = await FramePeer.connect((server.address() as GevNetworkAddress).port);
    client.write({ pattern, data: 'known', id: '1' }, { pattern, data: 'known', id: '2' });
    const replies = await client.packets(2);
    expect(replies.map(({ response }) => response as unknown)).toEqual([expected, expected]);
  });

  it('N4, U1: an overridden getHandlerByPattern() that throws fails its own request only, one that waited included', async () => {
    class Own extends GevServer {
      override getHandlerByPattern(asked: string): MessageHandler | null {
        if (asked === 'bad') throw new Error('the look-up fails');
        return super.getHandlerByPattern(asked);
      }
    }
    const logger = quiet();
    const server = new Own({ ...local, logger, concurrency: 1 });
    server.addHandler('slow', ((data: unknown) => pause(5).then(() => data)) as never);
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    const client = await FramePeer.connect((server.address() as GevNetworkAddress).port);
    client.write(
      { pattern: 'bad', data: 0, id: '0' },
      { pattern: 'slow', data: 1, id: '1' },
      { pattern: 'bad', data: 2, id: '2' },
      { pattern: 'bad', data: 2 },
      { pattern: 'slow', data: 3, id: '3' },
    );
    const err = { status: 'error', message: 'Internal server error' };
    expect(await client.packets(4)).toEqual([
      { err, isDisposed: true, id: '0' },
      { response: 1, isDisposed: true, id: '1' },
      { err, isDisposed: true, id: '2' },
      { response: 3, isDisposed: true, id: '3' },
    ]);
    expect(server.stats().handlers.pending).toBe(0);
    expect(String(logger.error.mock.calls[0]![0])).toContain('"bad" failed');
    expect(String(logger.error.mock.calls[0]![0])).toContain('the look-up fails');
  });

  it('N4: an overridden handleEvent() is called', async () => {
    const seen: unknown[] = [];
    class Own extends GevServer {
      override handleEvent(pattern: string, packet: ReadPacket): Promise<void> {
        seen.push([pattern, packet.data]);
        return Promise.resolve();
      }
    }
    const server = new Own(local);
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    const client = await FramePeer.connect((server.address() as GevNetworkAddress).port);
    client.write({ pattern: 'any', data: 1 }, { pattern: { cmd: 'x' }, data: 2 });
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      ['any', 1],
      ['{"cmd":"x"}', 2],
    ]);
  });

  it('N5: an option of raw() that there is not, or that cannot be meant, is refused with the one that may be', () => {
    const make = (options: object) => () => new GevServer({ ...local, codec: raw(options) });
    expect(make({ cpy: true })).toThrow('There is no option "raw.cpy": did you mean "copy"?');
    expect(make({ copy: 'no' })).toThrow('Option "raw.copy" must be true or false');
    expect(make({ copy: undefined })).not.toThrow();
  });

  it('N5: message patterns under a codec without packets are a warning with the remedy, once', async () => {
    const logger = quiet();
    const server = new GevServer({ ...local, codec: raw(), logger });
    server.addHandler('sum', (() => Promise.resolve(1)) as never);
    expect(await warningsOf(server, logger)).toEqual([
      expect.stringMatching(/pattern sum\. Use codec: nestJson/),
    ]);
    await server.close();
    expect(await warningsOf(server, logger)).toHaveLength(1);
  });

  it('N5: connection decorators that a transport id drops, and timers that nobody runs, are warnings', async () => {
    class Devices {
      @OnConnect()
      connect(): void {}
      @RunEvery(1_000)
      push(): void {}
    }
    expect(new Devices()).toBeDefined();
    const logger = quiet();
    const server = new GevServer({ ...local, logger });
    server.setTransportId(Transport.TCP);
    expect(await warningsOf(server, logger)).toEqual([
      expect.stringMatching(/does not register Devices\.connect .* Leave setTransportId\(\) out/),
      expect.stringMatching(/Nobody runs Devices\.push: .* GevModule\.forRoot\(\)/),
    ]);
  });
});

describe('a client that is a drop-in', () => {
  it.each([
    ['publish', 'published'],
    ['connect', 'connected'],
    ['createObserver', 'observed'],
    ['dispatchEvent', 'dispatched'],
  ])('N4: an overridden %s() is called', async (method, expected) => {
    const seen: string[] = [];
    class Own extends GevClient {
      protected override publish(...args: Parameters<GevClient['publish']>): () => void {
        seen.push('published');
        return super.publish(...args);
      }
      override connect(): Promise<void> {
        seen.push('connected');
        return super.connect();
      }
      protected override createObserver<T>(observer: Observer<T>): (packet: WritePacket) => void {
        seen.push('observed');
        return super.createObserver(observer);
      }
      protected override dispatchEvent<T>(packet: ReadPacket): Promise<T> {
        seen.push('dispatched');
        return super.dispatchEvent(packet);
      }
    }
    const prototype = Own.prototype as unknown as Record<string, unknown>;
    for (const name of ['publish', 'connect', 'createObserver', 'dispatchEvent']) {
      if (name !== method) delete prototype[name];
    }
    const { port, notes } = await serveEcho({ loops: 0 });
    const client = new Own({ host: '127.0.0.1', port, loops: 0 });
    onCleanup(() => client.close());
    const record = new GevRecordBuilder('data').setMetadata({ trace: '1' }).build();
    expect(await lastValueFrom(client.send('echo', record))).toBe('data');
    await lastValueFrom(client.emit('note', 'event'), { defaultValue: undefined });
    await until(() => notes.length === 1);
    expect(new Set(seen)).toEqual(new Set([expected]));
  });
});
