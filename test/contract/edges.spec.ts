import { describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GevConnection, nestJson, raw } from 'nestjs-gev';
import { Reactor, type ReactorHandler, type ReactorOptions } from 'nestjs-gev/core';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { pause, settled, spin, until } from '../kit/until.js';

const nothing = (): void => undefined;

function makeReactor(options: Partial<ReactorOptions> = {}, handler: Partial<ReactorHandler> = {}) {
  const connections: GevConnection[] = [];
  const closes: string[] = [];
  const reactor = new Reactor(
    { loops: 0, codec: raw(), ...(options.path === undefined && { host: '127.0.0.1', port: 0 }), ...options },
    {
      ...{ onMessage: nothing, onText: nothing, onEnd: nothing, onError: nothing },
      ...handler,
      onOpen: (connection) => {
        connections.push(connection);
        handler.onOpen?.(connection);
      },
      onClose: (connection) => {
        closes.push(String(connection.closeReason ?? 'none'));
        handler.onClose?.(connection);
      },
    },
  );
  onCleanup(() => reactor.stop());
  return { reactor, connections, closes };
}

async function listen(options: Partial<ReactorOptions> = {}, handler: Partial<ReactorHandler> = {}) {
  const made = makeReactor(options, handler);
  const { port } = (await made.reactor.listen()) as { port: number };
  const connect = async (peerOptions = {}) => {
    const peer = await Peer.connect(port, peerOptions);
    const { connections } = made;
    await until(() => connections.length > 0, 'it is accepted');
    return { peer, connection: connections[connections.length - 1]! };
  };
  return { ...made, port, connect };
}

describe('a reactor, at its edges', () => {
  it('W2: sending nothing completes on a connection that has sent nothing yet', async () => {
    const { connect } = await listen();
    const { connection } = await connect();
    await connection.sendAsync('');
  });

  it('W2: a send that the kernel refuses is not told to have been flushed', async () => {
    const { reactor, connect, closes } = await listen({ closeTimeout: 1000 });
    const { peer, connection } = await connect();
    reactor.pause(connection);
    peer.write(Buffer.alloc(1024 * 1024)); // more than is read while nobody wants it
    await settled(() => connection.bytesReceived, 100);
    peer.reset();
    await pause(50);
    await expect(connection.sendAsync('late')).rejects.toMatchObject({ code: 'ERR_GEV_CONNECTION_CLOSED' });
    await until(() => closes.length > 0);
    expect(closes).toEqual(['reset']);
  });

  it.each(['this end', 'the peer'])(
    'C10: when both have said FIN, %s first, it is the application that closes',
    async (first) => {
      let ends = 0;
      const { connect, closes } = await listen({}, { onEnd: () => void ends++ });
      const { peer, connection } = await connect({ allowHalfOpen: true });
      peer.read();
      if (first === 'this end') {
        connection.shutdownWrite();
        await until(() => peer.ended);
        peer.socket.end();
        await until(() => ends > 0, 'the end');
      } else {
        peer.socket.end();
        await until(() => ends > 0, 'the end');
        connection.shutdownWrite();
        await until(() => peer.ended);
      }
      await settled(() => closes.length, 100);
      expect(closes).toEqual([]);
      connection.close();
      await until(() => closes.length > 0);
      expect(closes).toEqual(['local']);
    },
  );

  it('S8: what came before it quiesced is delivered before it says so, though handlers are slow', async () => {
    const told: string[] = [];
    const { connect, reactor } = await listen(
      { codec: nestJson() },
      {
        onText: (_, text) => {
          told.push(text);
          spin(5);
        },
      },
    );
    const { peer } = await connect();
    const other = await connect();
    for (let i = 0; i < 20; i++) peer.write(`3#${100 + i}`);
    for (let i = 0; i < 20; i++) other.peer.write(`3#${200 + i}`);
    await until(() => told.length > 0);
    await reactor.quiesce();
    expect(told).toHaveLength(40);
  });

  it('S8: of two calls of listen() at a time one is refused', async () => {
    const { reactor } = makeReactor();
    const outcomes = await Promise.allSettled([reactor.listen(), reactor.listen()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('D4: a socket file that cannot be looked at any more does not keep the reactor from stopping', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gev-edges-'));
    onCleanup(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'a'));
    const path = join(folder, 'a', 's');
    const { reactor, connections, closes } = makeReactor({ path });
    await reactor.listen();
    const peer = await Peer.connect({ path });
    await until(() => connections.length > 0);
    renameSync(join(folder, 'a'), join(folder, 'b'));
    writeFileSync(join(folder, 'a'), '');
    await reactor.quiesce();
    await reactor.stop();
    expect(closes).toEqual(['shutdown']);
    await until(() => peer.read().closed);
  });

  it.each(['a\0b', 'x'.repeat(100) + '/' + 'y'.repeat(20), ''])(
    'J3: a dial of a path that no socket has fails: %j',
    async (path) => {
      const { reactor } = makeReactor();
      await reactor.start();
      await expect(reactor.dial({ path }, 1000)).rejects.toMatchObject({ syscall: 'connect' });
      expect(reactor.engine).toBeDefined();
    },
  );

  it('W1: two halves of a character, sent one after the other, stay two', async () => {
    const { connect } = await listen();
    const { peer, connection } = await connect();
    peer.read();
    connection.send('\ud83d');
    connection.send('\ude00');
    expect((await peer.take(6)).toString('hex')).toBe('efbfbdefbfbd');
    await until(() => connection.bufferedBytes === 0);
  });

  it('I1: what comes is activity although nobody reads it', async () => {
    const { reactor, connect, closes } = await listen({ idleTimeout: 300 });
    const { peer, connection } = await connect();
    reactor.pause(connection);
    for (let i = 0; i < 12; i++) {
      peer.write('x');
      await pause(80);
    }
    expect(closes).toEqual([]);
    await until(() => closes.length > 0);
    expect(closes).toEqual(['idle']);
  });

  it('S7: maxConnections counts what is accepted and what is dialled', async () => {
    const { reactor: other } = makeReactor();
    const { port } = (await other.listen()) as { port: number };
    const { reactor, connect } = await listen({ maxConnections: 1 });
    await reactor.dial({ host: '127.0.0.1', port }, 1000);
    const { peer } = await connect();
    peer.read();
    await until(() => peer.closed);
    expect(reactor.stats()).toMatchObject({ accepted: 0, refused: 1, open: 1 });
  });
});
