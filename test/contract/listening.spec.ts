import { describe, expect, it } from '@jest/globals';
import { GevListenError, type GevNetworkAddress, GevOptionsError, GevServer, raw } from 'nestjs-gev';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../kit/child.js';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { descriptors, threads, warmThreadPool } from '../kit/process-stats.js';
import { serve } from '../kit/serve.js';
import { settled, until } from '../kit/until.js';

const hasIPv6 = Object.values(networkInterfaces()).some((each) =>
  each?.some(({ address }) => address === '::1'),
);
const ifIPv6 = hasIPv6 ? it : it.skip;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gev-'));
  onCleanup(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A port that somebody else listens on. */
async function takenPort(): Promise<number> {
  const other = createServer();
  onCleanup(() => other.close());
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  return (other.address() as { port: number }).port;
}

const listen = (server: GevServer): Promise<Error | undefined> =>
  new Promise((resolve) => server.listen((error) => resolve(error)));

async function expectEcho(peer: Peer): Promise<void> {
  peer.read().write('ping');
  expect(await peer.text(4)).toBe('ping');
}

const echo = { message: (data: Buffer) => data };

describe.each([0, 2])('listening on %i loops', (loops) => {
  it('S1: a port in use is a typed error with the code of the system, from app.listen() too', async () => {
    const port = await takenPort();
    const failure = await serve({ loops, port }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GevListenError);
    expect(failure).toMatchObject({ code: 'EADDRINUSE', port, address: '127.0.0.1', syscall: 'bind' });
    expect((failure as Error).message).toMatch(`127.0.0.1:${port}: EADDRINUSE (the address is in use`);
  });

  it.each([
    ['EADDRNOTAVAIL', { host: '203.0.113.1', port: 0 }],
    ['ENOENT', { path: join(tmpdir(), 'gev-no-such-folder', 'socket') }],
    ['ENAMETOOLONG', { path: join(tmpdir(), 'x'.repeat(200)) }],
  ])('S1: %s', async (code, options) => {
    await expect(serve({ loops, ...options })).rejects.toMatchObject({ name: 'GevListenError', code });
  });

  it('S1: EACCES', async () => {
    const paths = ['/proc/1/gev', join('/root', 'gev-socket')];
    const { refusals } = await Child.scenario('unprivileged', { loops, paths }).report('refusals');
    expect(refusals).toMatchObject([{ name: 'GevListenError' }, { name: 'GevListenError', code: 'EACCES' }]);
  });

  const rounds = loops === 0 ? 1000 : 200; // loops take time to make
  it(`S1: ${rounds} failed listens leave the descriptor count and the thread count where they were`, async () => {
    const port = await takenPort();
    const server = new GevServer({ loops, host: '127.0.0.1', port, codec: raw() });
    await warmThreadPool();
    expect(await listen(server)).toMatchObject({ code: 'EADDRINUSE' });
    const before = [await settled(() => descriptors()), threads()];
    for (let number = 0; number < rounds; number++) {
      expect(await listen(server)).toMatchObject({ code: 'EADDRINUSE' });
    }
    expect([await settled(() => descriptors()), await settled(() => threads())]).toEqual(before);
  });

  it('S1: after a failure the same server listens when the reason is gone', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const server = new GevServer({ loops, host: '127.0.0.1', port, codec: raw() });
    onCleanup(() => server.close());
    expect(await listen(server)).toMatchObject({ code: 'EADDRINUSE' });
    await new Promise((resolve) => other.close(resolve));
    expect(await listen(server)).toBeUndefined();
    expect(server.address()).toEqual({ address: '127.0.0.1', port, family: 'IPv4' });
  });

  it('S2: IPv4', async () => {
    const service = await serve({ loops }, echo);
    const peer = await Peer.connect(service.port);
    await expectEcho(peer);
    expect(service.connections[0]).toMatchObject({
      ...{ remoteAddress: '127.0.0.1', remotePort: peer.port, remoteFamily: 'IPv4' },
      ...{ localAddress: '127.0.0.1', localPort: service.port },
    });
  });

  ifIPv6('S2: IPv6', async () => {
    const service = await serve({ loops, host: '::1' }, echo);
    expect(service.server.address()).toMatchObject({ address: '::1', family: 'IPv6' });
    await expectEcho(await Peer.connect({ port: service.port, host: '::1' }));
    expect(service.connections[0]).toMatchObject({ remoteAddress: '::1', remoteFamily: 'IPv6' });
  });

  ifIPv6('S2: dual stack; an IPv4 peer shows as IPv4', async () => {
    const service = await serve({ loops, host: '::' }, echo);
    await expectEcho(await Peer.connect({ port: service.port, host: '::1' }));
    await expectEcho(await Peer.connect({ port: service.port, host: '127.0.0.1' }));
    expect(service.connections.map(({ remoteAddress }) => remoteAddress)).toEqual(['::1', '127.0.0.1']);
    expect(service.connections.map(({ remoteFamily }) => remoteFamily)).toEqual(['IPv6', 'IPv4']);
  });

  ifIPv6('S2: ipv6Only leaves IPv4 out', async () => {
    const service = await serve({ loops, host: '::', ipv6Only: true }, echo);
    await expectEcho(await Peer.connect({ port: service.port, host: '::1' }));
    await expect(Peer.connect(service.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('S2: Unix-domain sockets; the file goes with the server', async () => {
    const path = join(temporaryFolder(), 'socket');
    const service = await serve({ loops, path }, echo);
    expect(service.server.address()).toEqual({ path });
    await expectEcho(await Peer.connect({ path }));
    expect(service.connections[0]).toMatchObject({ remoteFamily: 'Unix', localAddress: path });
    expect(service.connections[0]!.remoteAddress).toBeUndefined();
    await service.close();
    expect(existsSync(path)).toBe(false);
  });

  it('S2: the stale file of a dead process is replaced', async () => {
    const path = join(temporaryFolder(), 'socket');
    const kill = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(await Child.start(['-e', kill]).exit()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(existsSync(path)).toBe(true);
    await serve({ loops, path }, echo);
    await expectEcho(await Peer.connect({ path }));
  });

  it('S2: the file of a living server is an error, and that server goes on', async () => {
    const path = join(temporaryFolder(), 'socket');
    await serve({ loops, path }, echo);
    await expect(serve({ loops, path })).rejects.toMatchObject({ code: 'EADDRINUSE', path });
    await expectEcho(await Peer.connect({ path }));
  });

  it('S2: a file that is no socket is left alone', async () => {
    const path = join(temporaryFolder(), 'precious');
    writeFileSync(path, 'data');
    await expect(serve({ loops, path })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(existsSync(path)).toBe(true);
  });

  it('S3: port 0 works, and the real address is reported', async () => {
    const { server } = await serve({ loops }, echo);
    const { address, port, family } = server.address() as GevNetworkAddress;
    expect([address, family]).toEqual(['127.0.0.1', 'IPv4']);
    expect(port).toBeGreaterThan(0);
    await expectEcho(await Peer.connect(port));
    await server.close();
    expect(server.address()).toBeNull();
  });

  it('S5: two processes share a port, and each gets connections', async () => {
    const first = Child.scenario('named', { loops, reusePort: true });
    const { port } = await first.report('port');
    const second = Child.scenario('named', { loops, reusePort: true, port });
    await second.report('port');
    const peers = await Peer.connectAll(128, port);
    const names = await Promise.all(peers.map((peer) => nameOf(peer)));
    expect(new Set(names)).toEqual(new Set([`${first.pid};`, `${second.pid};`]));
  });

  it('S5: so do two worker threads', async () => {
    const { port } = await Child.scenario('workers', { loops, reusePort: true }).report('port');
    const peers = await Peer.connectAll(128, port);
    const names = await Promise.all(peers.map((peer) => nameOf(peer)));
    expect(new Set(names).size).toBe(2);
  });

  it('S5: without reusePort there is no sharing', async () => {
    const { port } = await serve({ loops, reusePort: true });
    await expect(serve({ loops, port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it("S5: loadBalance 'kernel' shares its port with no other server", async () => {
    const { port } = await serve({ loops, loadBalance: 'kernel' }, echo);
    await expect(serve({ loops, port, loadBalance: 'kernel' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const peers = await Peer.connectAll(32, port);
    for (const peer of peers) await expectEcho(peer);
  });

  it('S5: workers of node:cluster share a port without being told to', async () => {
    const { port } = await Child.scenario('cluster', { loops }).report('port');
    const peers = await Peer.connectAll(128, port);
    const names = await Promise.all(peers.map((peer) => nameOf(peer)));
    expect(new Set(names).size).toBe(2);
  });
});

/** What the server calls itself. */
async function nameOf(peer: Peer): Promise<string> {
  let name = '';
  peer.read();
  while (!name.endsWith(';')) name += await peer.text(1);
  return name;
}

/** How many threads there are; one that was joined shows for a moment longer. */
async function threadsAtRest(): Promise<number> {
  await warmThreadPool();
  return settled(() => threads());
}

describe('loops', () => {
  it.each([1, 2, 3, 8])('S4: %i threads are started, and end with the server', async (loops) => {
    const before = await threadsAtRest();
    const service = await serve({ loops }, echo);
    expect(threads() - before).toBe(loops);
    expect(service.server.stats().loops).toHaveLength(loops);
    await expectEcho(await Peer.connect(service.port));
    await service.close();
    await until(() => threads() === before, 'the threads have ended');
  });

  it('S4: 0 drives one loop on the JavaScript thread', async () => {
    const before = await threadsAtRest();
    const service = await serve({ loops: 0 }, echo);
    expect(threads()).toBe(before);
    expect(service.server.stats().loops).toHaveLength(1);
    await expectEcho(await Peer.connect(service.port));
  });

  it("S4: 'auto' leaves a core to JavaScript", async () => {
    const before = await threadsAtRest();
    await serve({ loops: 'auto' });
    const cores = availableParallelism();
    expect(threads() - before).toBe(cores <= 2 ? 0 : Math.min(4, cores - 1));
  });

  it.each([-1, 1.5, NaN, 65, Infinity, '2', true])('S4: %p loops are refused', (loops: any) => {
    const refusal = (): GevServer => new GevServer({ loops });
    expect(refusal).toThrow(GevOptionsError);
    expect(refusal).toThrow(/Option "loops" must be 'auto' or an integer from 0 to 64, not /);
  });

  it('S4: a server on several loops takes connections that come before anybody asks', async () => {
    const service = await serve({ loops: 2 });
    const socket = connect(service.port, '127.0.0.1');
    onCleanup(() => socket.destroy());
    await until(() => service.server.stats().open === 1);
  });
});
