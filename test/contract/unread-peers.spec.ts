import { describe, expect, it } from '@jest/globals';
import { Peer } from '../kit/peer.js';
import { type Handlers, serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const forever = (): Promise<never> => new Promise(() => undefined);

describe.each([0, 2])('connections that nobody reads, %i loops', (loops) => {
  async function watched(options: object, handlers: Handlers) {
    const reasons: string[] = [];
    const close = (reason: string): void => void reasons.push(reason);
    const base = { loops, drainTimeout: 50, closeTimeout: 200 };
    const service = await serve({ ...base, ...options }, { ...handlers, close });
    return { ...service, reasons };
  }

  it('D5: a connection whose @OnConnect does not settle ends after handshakeTimeout, and says so', async () => {
    const service = await watched({ handshakeTimeout: 300, maxConnections: 3 }, { connect: forever });
    const dialled = performance.now();
    const peers = await Peer.connectAll(3, service.port);
    for (const peer of peers) peer.read().write('hello?');
    await until(() => peers.every(({ closed }) => closed), 'all are closed');
    expect(performance.now() - dialled).toBeGreaterThanOrEqual(299);
    await until(() => service.reasons.length === 3);
    expect(new Set(service.reasons)).toEqual(new Set(['handshake']));
    expect(service.lines.join('\n')).toMatch(/@OnConnect.+handshakeTimeout \(300 ms\)/);
    await Peer.connect(service.port); // their places are free again
    await until(() => service.server.stats().open === 1);
  });

  it('D5: one whose @OnConnect settles in time stays', async () => {
    const service = await watched(
      { handshakeTimeout: 300 },
      { connect: () => new Promise((resolve) => setTimeout(resolve, 50)), message: (data) => data },
    );
    const peer = (await Peer.connect(service.port)).read();
    const open = await service.connection();
    await settled(() => service.reasons.length, 600);
    expect(open.state).toBe('open');
    peer.write('ping');
    expect(await peer.text(4)).toBe('ping');
  });

  it('D5: what a peer sent before it hung up on a slow @OnConnect is handled', async () => {
    const messages: string[] = [];
    let admit = (): void => undefined;
    const service = await watched(
      {},
      {
        connect: () => new Promise<void>((resolve) => (admit = resolve)),
        message: (data) => void messages.push(data.toString()),
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    await until(() => service.server.stats().open === 1);
    peer.socket.end('last words');
    await settled(() => service.reasons.length);
    admit();
    await until(() => service.reasons.length === 1);
    expect(messages).toEqual(['last words']);
    expect(service.reasons).toEqual(['peer']);
  });

  it('D5: a peer that hangs up before @OnConnect settles is let go when it does', async () => {
    let admit = (): void => undefined;
    const service = await watched({}, { connect: () => new Promise<void>((resolve) => (admit = resolve)) });
    const peer = (await Peer.connect(service.port)).read();
    await until(() => service.server.stats().open === 1);
    peer.socket.end();
    await settled(() => service.reasons.length);
    admit();
    await until(() => service.reasons.length === 1);
    expect(service.reasons).toEqual(['peer']);
  });

  it('D5: a full queue does not hide a reset', async () => {
    const service = await watched({ highWaterMark: 1000 }, { message: forever });
    const peer = await Peer.connect(service.port);
    for (let number = 0; number < 50; number++) {
      peer.write(Buffer.alloc(1000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const connection = await service.connection();
    await settled(() => connection.messagesReceived);
    peer.reset();
    await until(() => service.reasons.length === 1);
    expect(service.reasons).toEqual(['reset']);
  });

  it('D5: a full queue whose peer hung up is given up after halfCloseTimeout', async () => {
    const service = await watched({ highWaterMark: 1000, halfCloseTimeout: 500 }, { message: forever });
    const peer = await Peer.connect(service.port);
    for (let number = 0; number < 50; number++) {
      peer.write(Buffer.alloc(1000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const connection = await service.connection();
    await settled(() => connection.messagesReceived);
    peer.read().socket.end();
    await until(() => service.reasons.length === 1);
    expect(service.reasons).toEqual(['peer']);
  });

  it('D5: a connection that waits for @OnConnect keeps its idle limit', async () => {
    const service = await watched({ idleTimeout: 300 }, { connect: forever });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('unread');
    await until(() => service.reasons.length === 1);
    expect(service.reasons).toEqual(['idle']);
  });
});
