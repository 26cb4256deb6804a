import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  Conn,
  type GevConnection,
  GevConnectionClosedError,
  GevIdentityInUseError,
  GevOptionsError,
  line,
  OnClose,
  OnMessage,
  Reason,
} from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serve, type Service } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** Connections of peers, in the order in which they were dialled. */
async function connections(service: Service, count: number): Promise<[GevConnection[], Peer[]]> {
  const peers: Peer[] = [];
  for (let index = 0; index < count; index++) {
    peers.push((await Peer.connect(service.port)).read());
    await service.connection(index);
  }
  return [service.connections, peers];
}

describe.each([0, 2])('identities on %i loops', (loops) => {
  it('C12: a server finds the open connection with an identity, and forgets it when it closes', async () => {
    const service = await serve({ loops, codec: line() });
    const [[first, second], [peer]] = await connections(service, 2);
    expect([first!.identity, service.server.get('Ada')]).toEqual([undefined, undefined]);
    first!.identify('Ada');
    second!.identify('Bob');
    expect([service.server.get('Ada'), service.server.get('Bob')]).toEqual([first, second]);
    expect(service.server.get('Ada')!.identity).toBe('Ada');
    peer!.socket.end();
    await until(() => first!.state === 'closed');
    expect([service.server.get('Ada'), first!.identity]).toEqual([undefined, 'Ada']);
    second!.close();
    expect(service.server.get('Bob')).toBeUndefined(); // as soon as it is of no use
    expect(() => second!.identify('Bob')).toThrow(GevConnectionClosedError);
    expect(() => first!.identify('Ada')).toThrow(GevConnectionClosedError);
    expect(service.server.get('Ada')).toBeUndefined();
  });

  it('C12: an identity in use is refused, typed, and nothing changes', async () => {
    const service = await serve({ loops, codec: line() });
    const [[first, second]] = await connections(service, 2);
    first!.identify('Ada');
    second!.identify('Bob');
    const claim = (): void => second!.identify('Ada');
    expect(claim).toThrow(GevIdentityInUseError);
    expect(claim).toThrow(
      expect.objectContaining({
        code: 'ERR_GEV_IDENTITY_IN_USE',
        identity: 'Ada',
        message: expect.stringContaining('replace: true'),
      }),
    );
    expect(second!.identity).toBe('Bob');
    expect([service.server.get('Ada'), service.server.get('Bob')]).toEqual([first, second]);
  });

  it('C12 C5: with replace the older one closes, reason replaced, and its close does not remove the newer one', async () => {
    const closes: [string, string | undefined, unknown][] = [];
    @Controller()
    class Sessions {
      @OnMessage()
      login(@Payload() name: string, @Conn() conn: GevConnection): string {
        conn.identify(name, { replace: true });
        return `hello ${name}`;
      }

      @OnClose()
      gone(@Conn() conn: GevConnection, @Reason() reason: string): void {
        closes.push([reason, conn.identity, service.server.get('Ada')]);
      }
    }
    const service = await serve({ loops, codec: line() }, { controllers: [Sessions] });
    const [[first, second], [old, young]] = await connections(service, 2);
    old!.write('Ada\n');
    expect(await old!.text(10)).toBe('hello Ada\n');
    first!.send('before you go');
    young!.write('Ada\n');
    expect(await young!.text(10)).toBe('hello Ada\n');
    expect(service.server.get('Ada')).toBe(second);
    await until(() => old!.ended && closes.length === 1);
    expect(await old!.text(14)).toBe('before you go\n'); // what was sent is flushed
    expect(closes).toEqual([['replaced', 'Ada', second]]);
    expect([first!.closeReason, service.server.get('Ada')]).toEqual(['replaced', second]);
    expect(second!.state).toBe('open');
  });

  it('C12: a connection that identifies again moves, and with the same identity nothing happens', async () => {
    const service = await serve({ loops, codec: line() });
    const [[first, second]] = await connections(service, 2);
    const { server } = service;
    first!.identify('Ada');
    first!.identify('Ada');
    first!.identify('Ada', { replace: true });
    first!.identify('Eve');
    expect([server.get('Ada'), server.get('Eve'), first!.identity]).toEqual([undefined, first, 'Eve']);
    second!.identify('Ada');
    second!.identify('Eve', { replace: true });
    expect([server.get('Ada'), server.get('Eve')]).toEqual([undefined, second]);
    await until(() => first!.closeReason === 'replaced');
    expect(second!.state).toBe('open');
  });

  it('C12: listeners of one server share identities, servers do not', async () => {
    const listeners = [
      { name: 'a', port: 0, codec: line() },
      { name: 'b', port: 0, codec: line() },
    ];
    const service = await serve({ loops, listeners });
    const other = await serve({ loops, codec: line() });
    for (const address of service.server.addresses()) await Peer.connect((address as { port: number }).port);
    await Peer.connect(other.port);
    const [a, b] = [await service.connection(0), await service.connection(1)];
    const c = await other.connection();
    a.identify('Ada');
    c.identify('Ada');
    expect(() => b.identify('Ada')).toThrow(GevIdentityInUseError);
    expect([service.server.get('Ada'), other.server.get('Ada')]).toEqual([a, c]);
    await service.close();
    expect([service.server.get('Ada'), other.server.get('Ada')]).toEqual([undefined, c]);
  });

  it('C12: a connection may be identified before it is admitted, and a refused one has no identity', async () => {
    const service = await serve(
      { loops, codec: line() },
      {
        connect(connection) {
          connection.identify('Ada', { replace: true });
          throw new Error('not you');
        },
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    await until(() => peer.closed);
    expect(service.server.get('Ada')).toBeUndefined();
  });

  it('C12: what is no identity is refused', async () => {
    const service = await serve({ loops, codec: line() });
    const [[first]] = await connections(service, 1);
    for (const identity of ['', 5, undefined, {}]) {
      expect(() => first!.identify(identity as string)).toThrow(GevOptionsError);
    }
    for (const options of [{ replace: 1 }, { replce: true }, true]) {
      expect(() => first!.identify('Ada', options as object)).toThrow(GevOptionsError);
    }
    expect([first!.identity, service.server.get('Ada')]).toEqual([undefined, undefined]);
  });

  it('C12: peers that send each other away are told of once, with the remedy', async () => {
    const service = await serve({ loops, codec: line() });
    let kicked = 0;
    const dial = async (): Promise<void> => {
      const peer = (await Peer.connect(service.port)).read();
      peer.socket.on('end', () => {
        if (++kicked < 12) void dial();
      });
    };
    service.server.on('connection', (connection) => connection.identify('twin', { replace: true }));
    onCleanup(() => (kicked = Infinity));
    await dial();
    await dial();
    await until(() => kicked >= 12);
    const told = service.lines.filter((text) => text.includes('"twin"'));
    expect(told).toEqual([expect.stringContaining('without replace')]);
  });

  it('C12 M5: of many connections that come and go none is kept', async () => {
    const service = await serve({ loops, codec: line() });
    service.server.on('connection', (connection) => {
      connection.identify(`${connection.id % 7}`, { replace: true });
      connection.identify(`${connection.id}`);
    });
    for (let round = 0; round < 5; round++) {
      const peers = await Peer.connectAll(20, service.port);
      await until(() => service.connections.length === 20 * (round + 1));
      for (const peer of peers) peer.reset();
      await until(() => service.server.connections.size === 0);
    }
    expect(service.connections.every(({ identity }) => service.server.get(identity!) === undefined)).toBe(
      true,
    );
    expect(service.connections.every(({ id }) => service.server.get(`${id % 7}`) === undefined)).toBe(true);
  });

  it('C12 C11: what was asked of the older one fails, reason replaced', async () => {
    const service = await serve({ loops, codec: line() });
    const [[first, second]] = await connections(service, 2);
    first!.identify('Ada');
    const answer = first!.request('version', { timeout: 0 });
    second!.identify('Ada', { replace: true });
    await expect(answer).rejects.toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'replaced' });
  });
});
