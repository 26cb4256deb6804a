// TLS of a client: whom it trusts, and what it says where it does not.
import { describe, expect, it } from '@jest/globals';
import { type GevClient, type GevClientOptions, GevConnectError, GevOptionsError } from 'nestjs-gev';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createPlainServer, type AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { lastValueFrom } from 'rxjs';
import { certificates } from '../kit/certificates.js';
import { onCleanup } from '../kit/cleanup.js';
import { Deframer, frame, type Packet } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { serveRpc } from '../kit/rpc-service.js';
import { until } from '../kit/until.js';

const { ca, localhost, stranger } = certificates;

/** A server of Node's that answers each request with its data. */
async function nodeServer(options: TlsOptions) {
  const sockets: TLSSocket[] = [];
  const server = createServer({ ...localhost, ...options }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    const deframer = new Deframer();
    socket.on('data', (chunk) => {
      for (const text of deframer.push(chunk)) {
        const { id, data } = JSON.parse(text) as { id: string; data: unknown };
        if (id !== undefined) socket.write(frame({ id, response: data, isDisposed: true } satisfies Packet));
      }
    });
  });
  onCleanup(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { sockets, port: (server.address() as AddressInfo).port };
}

function clientTo(port: number, tlsOptions: GevClientOptions['tlsOptions'], options: GevClientOptions = {}) {
  return clientOf({ port, host: 'localhost', reconnect: false, ...options, tlsOptions });
}

const ask = (client: GevClient): Promise<unknown> => lastValueFrom(client.send<unknown>('x', 'hello'));

async function failure(client: GevClient): Promise<GevConnectError> {
  try {
    await ask(client);
  } catch (error) {
    return error as GevConnectError;
  }
  throw new Error('it was answered');
}

describe.each([0, 1])('a client over TLS on %i loops', (loops) => {
  it('E1: asks for the name it was given, and is answered', async () => {
    const { port, sockets } = await nodeServer({ ALPNProtocols: ['gev'] });
    expect(await ask(clientTo(port, { ca, ALPNProtocols: ['gev'] }, { loops }))).toBe('hello');
    expect((sockets[0] as TLSSocket & { servername: string }).servername).toBe('localhost');
    expect(sockets[0]!.alpnProtocol).toBe('gev');
  });

  it("E1: hangs up on a server that nobody vouches for, with Node's code, before it has said anything", async () => {
    const { port, sockets } = await nodeServer(stranger);
    const error = await failure(clientTo(port, { ca }, { loops }));
    expect(error).toBeInstanceOf(GevConnectError);
    expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    await until(() => sockets.every(({ destroyed }) => destroyed));
    expect(sockets.every(({ bytesRead }) => bytesRead === 0)).toBe(true);
    // Whoever trusts it by name is served.
    expect(await ask(clientTo(port, { ca: stranger.cert }, { loops }))).toBe('hello');
    expect(await ask(clientTo(port, { rejectUnauthorized: false }, { loops }))).toBe('hello');
  });

  it("E1: without ca it trusts those that Node does, and nobody's authority is none of them", async () => {
    const { port } = await nodeServer({});
    expect((await failure(clientTo(port, {}, { loops }))).code).toMatch(/UNABLE_TO_|SELF_SIGNED/);
  });

  it("E1: hangs up on a server with another name's certificate, each time", async () => {
    const { port } = await nodeServer({});
    const client = clientTo(port, { ca, servername: 'other.test' }, { loops });
    for (let attempt = 0; attempt < 2; attempt++) {
      expect((await failure(client)).code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    }
    expect(await ask(clientTo(port, { ca, servername: 'localhost' }, { loops, host: '127.0.0.1' }))).toBe(
      'hello',
    );
    // An address is no name to ask for, and is looked for in the certificate.
    expect(await ask(clientTo(port, { ca }, { loops, host: '127.0.0.1' }))).toBe('hello');
  });

  it('E1: shows its certificate to a server that asks', async () => {
    const { port, sockets } = await nodeServer({ ca, requestCert: true, rejectUnauthorized: true });
    expect(await ask(clientTo(port, { ca, ...certificates.client }, { loops }))).toBe('hello');
    expect(sockets[0]!.getPeerCertificate().subject.CN).toBe('client');
    expect((await failure(clientTo(port, { ca }, { loops }))).message).not.toBe('');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'E1: resumes its session of %s when it comes back',
    async (maxVersion) => {
      const { port, sockets } = await nodeServer({ maxVersion });
      const client = clientTo(port, { ca }, { loops, reconnect: {} });
      expect(await ask(client)).toBe('hello');
      // Later the socket does not tell.
      expect(sockets[0]!.isSessionReused()).toBe(false);
      sockets[0]!.destroy();
      await until(() => sockets.length === 2);
      expect(await ask(client)).toBe('hello');
      expect(sockets[1]!.isSessionReused()).toBe(true);
    },
  );

  it('E1: says what went wrong where no TLS is spoken, and where other protocols or versions are', async () => {
    const plain = createPlainServer((socket) => socket.on('error', () => undefined).end('hello'));
    onCleanup(() => plain.close());
    await once(plain.listen(0, '127.0.0.1'), 'listening');
    const { port } = plain.address() as AddressInfo;
    expect((await failure(clientTo(port, { ca }, { loops }))).code).toBe('EPROTO');
    const old = await nodeServer({ maxVersion: 'TLSv1.2', ALPNProtocols: ['other'] });
    expect((await failure(clientTo(old.port, { ca, minVersion: 'TLSv1.3' }, { loops }))).code).toBe('EPROTO');
    expect((await failure(clientTo(old.port, { ca, ALPNProtocols: ['gev'] }, { loops }))).code).toBe(
      'EPROTO',
    );
  });

  it('E2: a server that never answers the hello fails the dial within connectTimeout', async () => {
    const silent = createPlainServer((socket) => socket.on('error', () => undefined).resume());
    onCleanup(() => silent.close());
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    expect((await failure(clientTo(port, { ca }, { loops, connectTimeout: 200 }))).code).toBe('ETIMEDOUT');
  });

  it('E1: is served by the command line of OpenSSL', async () => {
    const argv = ['s_server', '-accept', '127.0.0.1:0', '-key', certificates.path('localhost.key')];
    const child = spawn('openssl', [...argv, '-cert', certificates.path('localhost.crt'), '-alpn', 'gev']);
    onCleanup(() => child.kill());
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(() => /ACCEPT .*:\d+/.test(output));
    const client = clientTo(
      Number(/ACCEPT .*:(\d+)/.exec(output)![1]),
      { ca, ALPNProtocols: ['gev'] },
      { loops },
    );
    await client.connect();
    client.emit('note', 'over TLS').subscribe({ error: () => undefined });
    await until(() => output.includes('over TLS'));
    expect(output).toMatch(/ALPN protocols selected: gev/);
  });
});

describe('the TLS of both', () => {
  it('E1: a client that speaks none to a port of TLS learns that its connection is of no use', async () => {
    const { port, lines } = await serveRpc('GevServer', { tlsOptions: localhost, loops: 0 });
    const client = clientOf({ port, reconnect: false });
    await expect(lastValueFrom(client.send('sum', [1]))).rejects.toThrow();
    await until(() => lines.some((line) => line.includes('the peer speaks no TLS')));
  });

  it('E1: a client that speaks it to a plain port is named in the log', async () => {
    const { port, lines } = await serveRpc('GevServer', { loops: 0 });
    await failure(clientTo(port, { ca }));
    await until(() => lines.some((line) => line.includes('speaks TLS and this port does not')));
  });

  it('E1: what a client has no use for is refused by name', () => {
    for (const [tlsOptions, message] of [
      [{ requestCert: true }, /requestCert/],
      [{ checkServerIdentity: () => undefined }, /checkServerIdentity.*servername/],
      [{ servername: '' }, /servername/],
    ] as const) {
      const make = (): GevClient => clientOf({ port: 1, tlsOptions: tlsOptions as object });
      expect(make).toThrow(GevOptionsError);
      expect(make).toThrow(message);
    }
  });
});
