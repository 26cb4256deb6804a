import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { GevConnection } from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const TRUSTED = ['127.0.0.2'];
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

async function dial(port: number, localAddress = '127.0.0.2'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined).resume();
  onCleanup(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Of version 2, a client 203.0.113.7:4242 of 192.0.2.1:443. */
function v2(command: number, tlvs: Buffer): Buffer {
  const addresses = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0x10, 0x92, 0x01, 0xbb]);
  const head = Buffer.from([command, 0x11, 0, addresses.length + tlvs.length]);
  return Buffer.concat([SIGNATURE, head, addresses, tlvs]);
}

function tlv(type: number, value: string): Buffer {
  return Buffer.concat([Buffer.from([type, 0, value.length]), Buffer.from(value)]);
}

/** A server that echoes, and what it was told of its connections. */
async function behindProxy(options: Parameters<typeof serve>[0]) {
  const opened: GevConnection[] = [];
  const service = await serve(
    { proxyProtocol: 'any', trusted: TRUSTED, ...options },
    { connect: (conn) => void opened.push(conn), message: (data) => data },
  );
  return { ...service, opened };
}

async function answer(socket: Socket, bytes: Buffer | string): Promise<string> {
  socket.write(bytes);
  return new Promise((resolve) => {
    socket.once('data', (data) => resolve(String(data))).once('close', () => resolve('closed'));
  });
}

describe.each([0, 2])('the PROXY protocol, on %i loops', (loops) => {
  it('E4: the client that version 1 names is the connection’s', async () => {
    const { port, opened } = await behindProxy({ loops });
    const socket = await dial(port);
    expect(await answer(socket, 'PROXY TCP6 2001:db8::7 2001:db8::1 4242 443\r\nhello')).toBe('hello');
    expect(opened[0]).toMatchObject({
      remoteAddress: '2001:db8::7',
      remotePort: 4242,
      remoteFamily: 'IPv6',
      localAddress: '127.0.0.1',
      proxy: { version: 1, destination: { address: '2001:db8::1', port: 443 }, tlvs: [] },
    });
  });

  it('E4: version 2 tells what else the proxy knows', async () => {
    const { port, opened } = await behindProxy({ loops, proxyProtocol: 'v2' });
    const tlvs = [tlv(1, 'h2'), tlv(2, 'shop.example'), tlv(5, 'id-7'), tlv(0xee, 'aws')];
    const socket = await dial(port);
    expect(await answer(socket, Buffer.concat([v2(0x21, Buffer.concat(tlvs)), Buffer.from('hello')]))).toBe(
      'hello',
    );
    const { remoteAddress, remotePort, proxy } = opened[0]!;
    expect({ remoteAddress, remotePort }).toEqual({ remoteAddress: '203.0.113.7', remotePort: 4242 });
    expect(proxy).toEqual({
      version: 2,
      destination: { address: '192.0.2.1', port: 443 },
      alpn: 'h2',
      authority: 'shop.example',
      uniqueId: Buffer.from('id-7'),
      tlvs: [
        { type: 1, value: Buffer.from('h2') },
        { type: 2, value: Buffer.from('shop.example') },
        { type: 5, value: Buffer.from('id-7') },
        { type: 0xee, value: Buffer.from('aws') },
      ],
    });
  });

  it('E4: what is the proxy’s own keeps its address', async () => {
    const { port, opened } = await behindProxy({ loops });
    expect(await answer(await dial(port), Buffer.concat([v2(0x20, Buffer.alloc(0)), Buffer.from('a')]))).toBe(
      'a',
    );
    expect(await answer(await dial(port), 'PROXY UNKNOWN\r\nb')).toBe('b');
    for (const { remoteAddress, proxy } of opened) {
      expect({ remoteAddress, proxy }).toMatchObject({
        remoteAddress: '127.0.0.2',
        proxy: { destination: undefined },
      });
    }
  });

  it('E4: who is not trusted, and what is no header, is refused, counted and never seen', async () => {
    const { server, port, opened, lines } = await behindProxy({ loops, proxyProtocol: 'v1' });
    expect(await answer(await dial(port, '127.0.0.3'), 'PROXY UNKNOWN\r\nhello')).toBe('closed');
    expect(await answer(await dial(port), 'GET / HTTP/1.1\r\n\r\n')).toBe('closed');
    expect(await answer(await dial(port), v2(0x21, Buffer.alloc(0)))).toBe('closed');
    expect(server.stats().refusals).toMatchObject({ proxyUntrusted: 1, proxyHeader: 2 });
    expect(opened).toEqual([]);
    await until(() => lines.some((line) => line.includes('127.0.0.3') && line.includes('trusted')));
  });

  it('E4: rules and limits are for the client that is named', async () => {
    const { server, port } = await behindProxy({ loops, deny: ['203.0.113.7'], maxConnectionsPerAddress: 1 });
    const line = (host: string) => `PROXY TCP4 ${host} 192.0.2.1 4242 443\r\nhello`;
    expect(await answer(await dial(port), line('203.0.113.7'))).toBe('closed');
    const first = await dial(port);
    expect(await answer(first, line('203.0.113.8'))).toBe('hello');
    expect(await answer(await dial(port), line('203.0.113.8'))).toBe('closed');
    expect(await answer(await dial(port), line('203.0.113.9'))).toBe('hello');
    first.destroy();
    await until(() => server.stats().open === 1);
    expect(await answer(await dial(port), line('203.0.113.8'))).toBe('hello');
    expect(server.stats().refusals).toMatchObject({ denied: 1, maxConnectionsPerAddress: 1 });
  });

  it('E4: a header that never comes ends within handshakeTimeout', async () => {
    const { server, port, opened } = await behindProxy({ loops, handshakeTimeout: 200 });
    expect(await answer(await dial(port), 'PROXY TCP4 203.0')).toBe('closed');
    expect(server.stats().refusals.handshakeTimeout).toBe(1);
    expect(opened).toEqual([]);
  });

  it('E4: listeners differ in it', async () => {
    const opened: GevConnection[] = [];
    const { server } = await serve(
      { loops, listeners: [{ port: 0 }, { port: 0, proxyProtocol: 'v1', trusted: TRUSTED }] },
      { connect: (conn) => void opened.push(conn), message: (data) => data },
    );
    const [plain, proxied] = server.addresses() as readonly { port: number }[];
    expect(await answer(await dial(plain!.port), 'PROXY UNKNOWN\r\n')).toBe('PROXY UNKNOWN\r\n');
    expect(await answer(await dial(proxied!.port), 'PROXY UNKNOWN\r\nhello')).toBe('hello');
    expect(opened.map(({ proxy }) => proxy?.version)).toEqual([undefined, 1]);
  });
});

describe('options of the PROXY protocol', () => {
  it.each([
    [{ proxyProtocol: 'v2' as const }, 'trusted'],
    [{ trusted: ['10.0.0.0/8'] }, 'proxyProtocol'],
    [{ proxyProtocol: 'v3' as never, trusted: ['10.0.0.0/8'] }, 'proxyProtocol'],
    [{ proxyProtocol: 'v1' as const, trusted: ['10.0.0.1/8'] }, 'trusted[0]'],
  ])('E4: %j is refused by name', async (options, option) => {
    await expect(serve(options, {})).rejects.toMatchObject({ code: 'ERR_GEV_INVALID_OPTION', option });
  });
});
