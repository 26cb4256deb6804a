// TLS on a server: what its clients see, and what it tells of them.
import { describe, expect, it } from '@jest/globals';
import { type GevServerOptions, GevOptionsError, GevServer } from 'nestjs-gev';
import { connect } from 'node:net';
import { certificates } from '../kit/certificates.js';
import { onCleanup } from '../kit/cleanup.js';
import { SecurePeer, sClient } from '../kit/secure.js';
import { type Handlers, serve, type Service } from '../kit/serve.js';
import { until } from '../kit/until.js';

const { ca, localhost, second } = certificates;
const echo: Handlers = { message: (data) => data };

describe.each([0, 1])('a server with TLS on %i loops', (loops) => {
  function start(options: GevServerOptions = {}, handlers = echo): Promise<Service> {
    return serve({ loops, tlsOptions: localhost, ...options }, handlers);
  }

  it('E1: echoes to a client of Node, and shows what was agreed on', async () => {
    const { port, connections } = await start({
      tlsOptions: { ...localhost, ALPNProtocols: ['two', 'one'] },
    });
    const peer = await SecurePeer.connect(port, { ALPNProtocols: ['one', 'two'] });
    expect(peer.socket.authorized).toBe(true);
    expect(peer.socket.alpnProtocol).toBe('two');
    expect((await peer.echoed('hello')).toString()).toBe('hello');
    const { tls } = connections[0]!;
    expect(tls).toMatchObject({
      protocol: 'TLSv1.3',
      alpn: 'two',
      servername: 'localhost',
      resumed: false,
      authorized: false,
      authorizationError: undefined,
      peerCertificate: undefined,
    });
    expect(tls!.cipher).toMatch(/^TLS_/);
  });

  it('E1: megabytes come back as they were sent, and counts are of those', async () => {
    const { port, connections } = await start();
    const data = Buffer.alloc(3 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 4) data.writeInt32LE(Math.imul(at, 0x9e3779b1), at);
    const peer = await SecurePeer.connect(port);
    expect((await peer.echoed(data)).equals(data)).toBe(true);
    const [connection] = connections;
    expect(connection!.bytesReceived).toBe(data.length);
    await until(() => connection!.bufferedBytes === 0);
    expect(connection!.bytesSent).toBe(data.length);
  });

  it('E1: what waits for a peer that does not read counts as it was sent, and reaches it when it reads', async () => {
    const { port, connection } = await start({ highWaterMark: 64 * 1024, maxSendBuffer: 32 * 1024 * 1024 });
    const peer = await SecurePeer.connect(port);
    peer.socket.pause();
    const { send, bufferedBytes } = await connection().then((open) => ({
      send: (data: Buffer) => open.sendAsync(data),
      bufferedBytes: () => open.bufferedBytes,
    }));
    const size = 16 * 1024 * 1024;
    const sent = send(Buffer.alloc(size, 7));
    await until(() => bufferedBytes() > 0);
    expect(bufferedBytes()).toBeLessThanOrEqual(size);
    peer.socket.resume();
    await sent;
    expect(bufferedBytes()).toBe(0);
    await until(() => peer.received.length === size);
  });

  it('E1: says goodbye before FIN, so that nobody takes it for a cut', async () => {
    const { port, connection } = await start();
    const peer = await SecurePeer.connect(port);
    (await connection()).send('bye');
    (await connection()).close();
    await until(() => peer.closed);
    expect(peer.received.toString()).toBe('bye');
    expect(peer.events).toEqual(['end', 'close']);
    expect((await connection()).closeReason).toBe('local');
  });

  it("E1: a client's goodbye is the end of its input, and the replies it is owed still reach it", async () => {
    const reply = async (data: Buffer): Promise<Buffer> => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return data;
    };
    const { port, connection } = await start({}, { message: reply });
    const peer = await SecurePeer.connect(port);
    peer.socket.end('last');
    await until(() => peer.closed);
    expect(peer.received.toString()).toBe('last');
    await until(() => connection().then(({ closeReason }) => closeReason === 'peer'));
  });

  it('E1: a stream that is cut without a goodbye is a reset', async () => {
    const { port, connections } = await start();
    const raw = connect(port, '127.0.0.1');
    onCleanup(() => raw.destroy());
    const peer = await SecurePeer.connect(port, { socket: raw });
    await peer.echoed('hello');
    raw.end(); // FIN, of whoever stands between the two
    await until(() => connections[0]!.closeReason !== undefined);
    expect(connections[0]!.closeReason).toBe('reset');
  });

  it('E1: a client certificate is asked for, checked, and shown to handlers', async () => {
    const { port, connections, server } = await start({
      tlsOptions: { ...localhost, ca, requestCert: true },
    });
    const peer = await SecurePeer.connect(port, certificates.client);
    await peer.echoed('hello');
    expect(connections[0]!.tls!.authorized).toBe(true);
    expect(connections[0]!.tls!.peerCertificate!.subject).toBe('CN=client');
    for (const options of [{}, certificates.stranger]) {
      await SecurePeer.dial(port, options).refusal();
    }
    await until(() => server.stats().refused === 2);
    expect(connections).toHaveLength(1);
  });

  it('E1: who shows none of the certificates that are asked for is told so by an alert, and named in the log', async () => {
    const { port, server, lines } = await start({ tlsOptions: { ...localhost, ca, requestCert: true } });
    expect(await SecurePeer.dial(port).refusal()).toMatch(/certificate required/);
    expect(await SecurePeer.dial(port, certificates.stranger).refusal()).toMatch(/unknown ca/);
    await until(() => server.stats().refusals.tls === 2);
    await until(() => lines.join().includes('did not return a certificate'));
  });

  it('E1: with rejectUnauthorized: false whoever comes is let in, and handlers are told what is wrong', async () => {
    const { port, connections } = await start({
      tlsOptions: { ...localhost, ca, requestCert: true, rejectUnauthorized: false },
    });
    await (await SecurePeer.connect(port)).echoed('a');
    await (await SecurePeer.connect(port, certificates.stranger)).echoed('b');
    expect(connections.map(({ tls }) => [tls!.authorized, tls!.authorizationError])).toEqual([
      [false, 'UNABLE_TO_GET_ISSUER_CERT'],
      [false, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ]);
    expect(connections[1]!.tls!.peerCertificate!.subject).toBe('CN=stranger');
  });

  it('E1: versions and protocols outside of what is allowed are refused with an alert', async () => {
    const { port, server } = await start({
      tlsOptions: { ...localhost, minVersion: 'TLSv1.3', ALPNProtocols: ['gev'] },
    });
    expect(await SecurePeer.dial(port, { maxVersion: 'TLSv1.2' }).refusal()).toMatch(/protocol version/);
    expect(await SecurePeer.dial(port, { ALPNProtocols: ['h2'] }).refusal()).toMatch(
      /no application protocol/,
    );
    // Whoever asks for none is not refused.
    expect((await (await SecurePeer.connect(port)).echoed('x')).toString()).toBe('x');
    await until(() => server.stats().refusals.tls === 2);
  });

  it('E1: sessions are resumed, those of before setTls() as well', async () => {
    const { port, server, connections } = await start();
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await SecurePeer.connect(port, { maxVersion });
      await first.echoed('a');
      await until(() => first.session !== undefined);
      const again = await SecurePeer.connect(port, { maxVersion, session: first.session! });
      expect(again.socket.isSessionReused()).toBe(true);
      await again.echoed('b');
      expect(connections.at(-1)!.tls!.resumed).toBe(true);
      server.setTls(second);
      const later = await SecurePeer.connect(port, { maxVersion, session: first.session! });
      expect(later.socket.isSessionReused()).toBe(true);
      server.setTls(localhost);
    }
  });

  it('E1: setTls() is for those that come from now on, and a bad one changes nothing', async () => {
    const { port, server } = await start();
    const before = await SecurePeer.connect(port);
    expect(() => server.setTls({ ...second, key: localhost.key })).toThrow(GevOptionsError);
    server.setTls(second);
    const after = await SecurePeer.connect(port);
    expect(after.socket.getPeerCertificate().subject.CN).toBe('second');
    expect((await before.echoed('still here')).toString()).toBe('still here');
    expect((await after.echoed('here')).toString()).toBe('here');
  });

  it('E1: names have certificates of their own, and rules', async () => {
    const { port, connections } = await start({
      tlsOptions: {
        ...localhost,
        sni: {
          'SECOND.test': second,
          '*.example.org': { ...certificates.wild, ca, requestCert: true },
        },
      },
    });
    const shown = async (servername: string, options = {}): Promise<string> => {
      const peer = await SecurePeer.connect(port, {
        servername,
        checkServerIdentity: () => undefined,
        ...options,
      });
      await peer.echoed('x');
      return peer.socket.getPeerCertificate().subject.CN as string;
    };
    expect(await shown('localhost')).toBe('localhost');
    expect(await shown('second.test')).toBe('second');
    expect(await shown('a.example.org', certificates.client)).toBe('wild');
    expect(await shown('example.org')).toBe('localhost');
    expect(connections).toHaveLength(4);
  });

  it('E1: a name may ask for certificates that others do not, and have a key of another kind', async () => {
    const { port, connections } = await start({
      tlsOptions: {
        ...localhost,
        sni: {
          'rsa.test': certificates.rsa,
          'a.example.org': { ...certificates.wild, ca, requestCert: true },
        },
      },
    });
    const rsa = await SecurePeer.connect(port, { servername: 'rsa.test' });
    await rsa.echoed('x');
    expect(rsa.socket.getPeerCertificate().subject.CN).toBe('rsa');
    const known = await SecurePeer.connect(port, { servername: 'a.example.org', ...certificates.client });
    await known.echoed('x');
    expect(connections.map(({ tls }) => tls!.authorized)).toEqual([false, true]);
    expect(await SecurePeer.dial(port, { servername: 'a.example.org' }).refusal()).not.toBe('');
  });

  it('E1: a ticket of a name that asks for nothing opens none that asks for a certificate', async () => {
    const { port, connections } = await start({
      tlsOptions: { ...localhost, sni: { 'a.example.org': { ...certificates.wild, ca, requestCert: true } } },
    });
    const lax = await SecurePeer.connect(port);
    await lax.echoed('x');
    await until(() => lax.session !== undefined);
    const sneaking = SecurePeer.dial(port, { servername: 'a.example.org', session: lax.session! });
    await sneaking.refusal();
    expect(sneaking.received).toHaveLength(0);
    expect(connections).toHaveLength(1);
  });

  it('E1: a name refuses whom it does not trust, though the server itself lets everybody in', async () => {
    const { port, connections } = await start({
      tlsOptions: {
        ...{ ...localhost, ca, requestCert: true, rejectUnauthorized: false },
        sni: { 'a.example.org': { ...certificates.wild, rejectUnauthorized: true } },
      },
    });
    const known = await SecurePeer.connect(port, certificates.stranger);
    expect((await known.echoed('x')).toString()).toBe('x');
    const stranger = SecurePeer.dial(port, { servername: 'a.example.org', ...certificates.stranger });
    await stranger.refusal();
    expect(stranger.received).toHaveLength(0);
    expect(connections).toHaveLength(1);
  });

  it('E1: the ciphers of a name are those that it was given', async () => {
    const chosen = 'ECDHE-ECDSA-CHACHA20-POLY1305';
    const { port, connections } = await start({
      tlsOptions: {
        ...localhost,
        sni: { 'a.example.org': { ...certificates.wild, ciphers: chosen, maxVersion: 'TLSv1.2' } },
      },
    });
    const peer = await SecurePeer.connect(port, { servername: 'a.example.org' });
    await peer.echoed('x');
    expect(connections[0]!.tls).toMatchObject({ protocol: 'TLSv1.2', cipher: chosen });
  });

  it('E1: key and certificate come as PKCS #12, and behind a passphrase, as well', async () => {
    const { pfx, lockedKey, passphrase } = certificates;
    for (const tlsOptions of [
      { pfx, passphrase },
      { key: lockedKey, cert: localhost.cert, passphrase },
    ]) {
      const { port } = await start({ tlsOptions });
      const peer = await SecurePeer.connect(port);
      expect((await peer.echoed('x')).toString()).toBe('x');
    }
  });

  it('E1: some listeners may speak TLS and others not', async () => {
    const { server, connections } = await start({
      tlsOptions: undefined,
      listeners: [
        { host: '127.0.0.1', port: 0 },
        { host: '127.0.0.1', port: 0, tlsOptions: localhost },
      ],
    });
    const [plain, tls] = server.addresses() as readonly { port: number }[];
    const socket = connect(plain!.port, '127.0.0.1');
    onCleanup(() => socket.destroy());
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.write('plain');
    await until(() => Buffer.concat(chunks).toString() === 'plain');
    expect((await (await SecurePeer.connect(tls!.port)).echoed('x')).toString()).toBe('x');
    expect(connections.map((each) => each.tls === undefined)).toEqual([true, false]);
  });

  it('E1: the command line of OpenSSL is served: resumption, another protocol, an old version', async () => {
    const { port } = await start({ tlsOptions: { ...localhost, ALPNProtocols: ['gev'] } });
    const first = await sClient(port, '', '-reconnect', '-tls1_2');
    expect(first.match(/Reused, TLSv1.2/g)).toHaveLength(5);
    expect(await sClient(port, '', '-alpn', 'gev')).toMatch(/ALPN protocol: gev/);
    expect(await sClient(port, '', '-alpn', 'other')).toMatch(/no application protocol/);
    expect(await sClient(port, '', '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')).toMatch(
      /alert protocol version/,
    );
  });
});

describe('a handshake that is wrong', () => {
  it('E2: plain text on a port of TLS is named in the log, and served to nobody', async () => {
    const { port, lines, server, connections } = await serve({ loops: 0, tlsOptions: localhost }, echo);
    const socket = connect(port, '127.0.0.1');
    onCleanup(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => socket.closed);
    await until(() => server.stats().refusals.tls === 1);
    expect(lines.join('\n')).toMatch(/TLS handshake failed: the peer speaks no TLS/);
    expect(connections).toHaveLength(0);
  });

  it('E2: one that stalls, however far it came, ends within handshakeTimeout and holds nobody up', async () => {
    const { port, server } = await serve({ loops: 0, tlsOptions: localhost, handshakeTimeout: 200 }, echo);
    const hello = await helloBytes();
    const stalled = [0, 1, 5, 40, hello.length - 1, hello.length].map((length) => {
      const socket = connect(port, '127.0.0.1');
      onCleanup(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(hello.subarray(0, length));
      return socket;
    });
    expect((await (await SecurePeer.connect(port)).echoed('x')).toString()).toBe('x');
    await until(() => stalled.every(({ closed }) => closed));
    expect(server.stats().refusals.handshakeTimeout).toBe(stalled.length);
    expect(server.stats().open).toBe(1);
  });

  it('E2: one that hangs up in the middle of it is no line in the log', async () => {
    const { port, lines, server } = await serve({ loops: 0, tlsOptions: localhost }, echo);
    const hello = await helloBytes();
    for (const length of [0, 5, 40, hello.length]) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.end(hello.subarray(0, length));
      socket.resume();
    }
    await until(() => server.stats().refusals.handshakeClosed === 4);
    expect(lines.filter((line) => line.includes('refused'))).toEqual([]);
    expect((await (await SecurePeer.connect(port)).echoed('x')).toString()).toBe('x');
  });

  it('E2: every byte of a hello may be another one', async () => {
    const { port, server } = await serve({ loops: 1, tlsOptions: localhost, handshakeTimeout: 1_000 }, echo);
    const hello = await helloBytes();
    for (let at = 0; at < hello.length; at += 7) {
      const damaged = Buffer.from(hello);
      damaged[at]! ^= 0x55;
      const socket = connect(port, '127.0.0.1');
      onCleanup(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(damaged);
    }
    expect((await (await SecurePeer.connect(port)).echoed('x')).toString()).toBe('x');
    await until(() => server.stats().open === 1 && server.stats().loops[0]!.connections === 1);
  });
});

describe('tlsOptions', () => {
  const refused = (tlsOptions: object): GevOptionsError => {
    try {
      new GevServer({ tlsOptions });
    } catch (error) {
      return error as GevOptionsError;
    }
    throw new Error('it was taken');
  };

  it.each([
    ['SNICallback', { SNICallback: () => undefined }, /"tlsOptions.SNICallback".*"sni"/],
    ['secureProtocol', { secureProtocol: 'TLSv1_2_method' }, /"tlsOptions.secureProtocol".*"minVersion"/],
    ['handshakeTimeout', { handshakeTimeout: 1 }, /"tlsOptions.handshakeTimeout".*beside "tlsOptions"/],
    ['a slip', { certt: '' }, /"tlsOptions.certt".*did you mean "cert"/],
    ['a key without its certificate', { cert: undefined }, /needs "key" and "cert"/],
    ["another certificate's key", { key: second.key }, /refused by Node: .*key values mismatch/],
    ['an unknown version', { minVersion: 'TLSv1.4' }, /minVersion.*TLSv1.3/],
    [
      'versions the wrong way round',
      { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
      /"tlsOptions.minVersion"/,
    ],
    ['unknown ciphers', { ciphers: 'NONSENSE' }, /refused by Node/],
    ['an empty protocol', { ALPNProtocols: [''] }, /ALPNProtocols/],
    ['short ticket keys', { ticketKeys: Buffer.alloc(3) }, /ticketKeys.*48 bytes/],
    ['no host', { sni: { 'a b': localhost } }, /sni\['a b'\]/],
    ['a name without a certificate', { sni: { 'a.b': { ca } } }, /sni\['a.b'\]" needs "key" and "cert"/],
    ['names within names', { sni: { 'a.b': { ...localhost, sni: {} } } }, /sni\['a.b'\].sni/],
  ])('E1: of tlsOptions %s is refused by name, with what to do', (_what, tlsOptions, message) => {
    const error = refused({ ...localhost, ...tlsOptions });
    expect(error).toBeInstanceOf(GevOptionsError);
    expect(error.message).toMatch(message);
  });
});

/** What a client of Node's sends first. */
async function helloBytes(): Promise<Buffer> {
  const { createServer } = await import('node:net');
  const chunks: Buffer[] = [];
  const server = createServer((socket) => socket.on('data', (chunk) => chunks.push(chunk))).listen(
    0,
    '127.0.0.1',
  );
  onCleanup(() => server.close());
  await until(() => server.listening);
  const peer = SecurePeer.dial((server.address() as { port: number }).port);
  await until(() => chunks.length > 0);
  peer.socket.destroy();
  return Buffer.concat(chunks);
}
