import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { Child, root } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { errorsOf, hasNetcat, listening, netcat, runClient, SAMPLES, start } from '../kit/samples.js';
import { sanitized } from '../kit/server-process.js';
import { eventually, pause, until } from '../kit/until.js';

const MiB = 1024 * 1024;
const ifNetcat = hasNetcat ? it : it.skip;

// They build what is out of date, without a sanitizer.
(sanitized ? describe.skip : describe)('samples', () => {
  it('echo: 1 MiB of random data comes back on each of 100 connections', async () => {
    const { child, port } = await start('echo');
    const data = randomBytes(MiB);
    const peers = await Peer.connectAll(100, port);
    await Promise.all(
      peers.map(async (peer, index) => {
        const own = Buffer.from(data);
        own.writeUInt32LE(index);
        peer.read().write(own);
        expect((await peer.take(MiB)).equals(own)).toBe(true);
        peer.socket.end();
        await until(() => peer.closed);
        expect(peer.length).toBe(0);
      }),
    );
    child.kill('SIGTERM');
    expect(await child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  ifNetcat('echo: nc gets its input back', async () => {
    // As a user does: it builds what is out of date, and echo is the default.
    const { port } = await listening(['sample/start.mjs'], { LOOPS: '2' });
    const input = randomBytes(MiB);
    expect(netcat(port, input).equals(input)).toBe(true);
    expect(netcat(port, Buffer.from('hello\n')).toString()).toBe('hello\n');
  });

  it('max-connections: beyond the limit one is told so and turned away, and a place that was freed is given', async () => {
    const { port } = await start('max-connections', { LIMIT: '3' });
    const guests: Peer[] = [];
    const lineOf = async (peer: Peer): Promise<string> => {
      peer.read();
      await until(() => peer.closed || peer.length > 0);
      return peer.text(peer.length);
    };
    for (let number = 1; number <= 3; number++) {
      guests.push(await Peer.connect(port));
      expect(await lineOf(guests.at(-1)!)).toBe(`Welcome, guest ${number} of 3.\n`);
    }
    for (let round = 0; round < 3; round++) {
      const extra = await Peer.connect(port);
      expect(await lineOf(extra)).toBe('Sorry, all 3 places are taken. Please try again later.\n');
      await until(() => extra.closed);
      expect(extra.events).toEqual(['end', 'close']);
    }
    guests[0]!.write('still welcome');
    expect(await guests[0]!.text(13)).toBe('still welcome');
    guests[1]!.socket.end();
    await until(() => guests[1]!.closed);
    await until(() => guests[1]!.events.includes('end'));
    let answer = '';
    for (let tries = 0; tries < 100 && !answer.startsWith('Welcome'); tries++) {
      answer = await lineOf(await Peer.connect(port));
    }
    expect(answer).toBe('Welcome, guest 3 of 3.\n');
  });

  it('timed-push: 100 clients get a push each second for 5 s, none missed, none doubled', async () => {
    const { port } = await start('timed-push');
    const clients = (await Peer.connectAll(100, port)).map((peer) => peer.read());
    const pushes = (): number[] => clients.map(({ length }) => length / 'hello\n'.length);
    await until(() => Math.min(...pushes()) >= 1, 'all have joined');
    await eventually(2, async () => {
      const now = pushes()[0]!;
      await until(() => pushes()[0]! > now, 'a push');
      await pause(300); // half-way between two
      const before = pushes();
      const started = performance.now();
      await until(() => pushes()[0]! >= before[0]! + 5, 'five more pushes');
      const took = performance.now() - started;
      await until(() => pushes().every((count, index) => count >= before[index]! + 5), 'all have them');
      expect(pushes()).toEqual(before.map((count) => count + 5));
      expect(Math.abs(took - 4_700)).toBeLessThan(600);
    });
    for (const client of clients) expect(await client.text(client.length)).toMatch(/^(hello\n)+$/);
  });

  it('hybrid: GET /connections lists the connections of the reactor', async () => {
    const { port, url } = await start('hybrid');
    const peers = await Peer.connectAll(3, port);
    for (const [index, peer] of peers.entries()) {
      const words = 'hello '.repeat(index + 1);
      peer.read().write(words);
      expect(await peer.text(words.length)).toBe(words);
    }
    const list = async (): Promise<any[]> => (await (await fetch(url!)).json()) as any[];
    const rows = await list();
    expect(rows.map(({ remotePort }) => remotePort)).toEqual(peers.map((peer) => peer.port));
    expect(rows[2]).toMatchObject({
      ...{ remoteAddress: '127.0.0.1', loop: expect.any(Number), state: 'open' },
      ...{ bytesReceived: 18, bytesSent: 18 },
    });
    for (const peer of peers) peer.socket.end();
    await until(() => peers.every((peer) => peer.closed));
    let left = 3;
    for (let tries = 0; tries < 100 && left > 0; tries++) left = (await list()).length;
    expect(left).toBe(0);
  });

  it('rpc: streams and requests that the client gives up stop in the service, and their signal fires', async () => {
    const { child, port } = await start('rpc');
    expect(await runClient('rpc', port)).toEqual([
      'gold: 2400',
      'gold: 2401',
      'gold: 2402',
      'no appraisal: ERR_GEV_ABORTED',
      'gold costs 2400',
      'gold costs 2500 now',
    ]);
    const log = (): string[] => child.lines.flatMap((line) => /LOG \[rpc\] (\w.*)/.exec(line)?.[1] ?? []);
    await until(() => log().includes('a client has left'));
    // They stop at the client's word: with the connection they would only after the event.
    expect(log().filter((line) => !line.startsWith('Listening'))).toEqual([
      'gold is followed no more',
      'the appraisal of gold is given up',
      'gold was sold at 2500',
      'a client has left',
    ]);
  });

  it.each(['gev', 'tcp'])(
    'migrate: clients of both transports get the same of a service on %s',
    async (transport) => {
      const { port } = await start('migrate', { TRANSPORT: transport });
      for (const [index, TRANSPORT] of ['gev', 'tcp'].entries()) {
        const order = `order ${index + 1}`;
        expect(await runClient('migrate', port, { TRANSPORT })).toEqual([
          `${order}: a kettle`,
          `${order}: placed`,
          `${order}: paid`,
          `${order}: shipped`,
          `${order}: delivered`,
          'refused: Say what you want to order',
        ]);
      }
    },
  );

  const SERVICES = [
    ...['echo', 'max-connections', 'timed-push', 'hybrid', 'rpc', 'migrate'],
    ...['line-chat', 'modbus'],
  ];

  it.each(SERVICES)(
    '%s: a port that is taken, or a service that is not there, is told in two lines',
    async (name) => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const { port } = taken.address() as AddressInfo;
      const service = Child.start([`${SAMPLES}/${name}/main.js`], {
        env: { PORT: `${port}`, HTTP_PORT: '0' },
      });
      expect(await service.exit()).toEqual({ code: 1, signal: null });
      expect(errorsOf(service)).toEqual([
        expect.stringContaining(`127.0.0.1:${port}: EADDRINUSE`),
        expect.stringContaining('PORT'),
      ]);

      taken.close();
      await once(taken, 'close');
      const client = Child.start([`${SAMPLES}/${name}/client.js`], { env: { PORT: `${port}` } });
      expect(await client.exit()).toEqual({ code: 1, signal: null });
      expect(errorsOf(client)).toEqual([
        expect.stringMatching(new RegExp(`ECONNREFUSED.*:${port}|:${port}.*ECONNREFUSED`)),
        expect.stringContaining('Start the service first'),
      ]);
    },
  );

  it('hybrid: an HTTP port that is taken is told, too', async () => {
    const taken = createServer().listen(0);
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const service = Child.start([`${SAMPLES}/hybrid/main.js`], { env: { PORT: '0', HTTP_PORT: `${port}` } });
    expect(await service.exit()).toEqual({ code: 1, signal: null });
    expect(errorsOf(service).slice(-2)).toEqual([
      expect.stringContaining('EADDRINUSE'),
      expect.stringContaining('HTTP_PORT'),
    ]);
    taken.close();
  });

  it('--help lists every sample with its purpose, the options and the variables', async () => {
    const child = Child.start(['sample/start.mjs', '--help']);
    expect(await child.exit()).toEqual({ code: 0, signal: null });
    const text = child.lines.join('\n');
    const { projects } = JSON.parse(readFileSync(`${root}/nest-cli.json`, 'utf8')) as { projects: object };
    for (const name of Object.keys(projects)) expect(text).toMatch(new RegExp(`^  ${name} +\\w`, 'm'));
    for (const word of ['--client', '--help', 'HOST=', 'PORT=', 'HTTP_PORT=', 'LOOPS=', 'NODE_DEBUG=gev'])
      expect(text).toContain(word);
  });

  it('--client runs the client of a sample with its arguments', async () => {
    const { port } = await start('migrate');
    const child = Child.start(['sample/start.mjs', 'migrate', '--client', 'a teapot'], {
      env: { PORT: `${port}` },
    });
    expect(await child.exit()).toEqual({ code: 0, signal: null });
    expect(child.lines).toContain('order 1: a teapot');
  });

  it.each([
    [['nonsense'], 'There is no sample "nonsense"'],
    [['echo', 'nonsense'], 'A service has no arguments'],
  ])('%j: is told, with the samples there are, and exits with 1', async (args, message) => {
    const child = Child.start(['sample/start.mjs', ...args]);
    expect(await child.exit()).toEqual({ code: 1, signal: null });
    const text = child.errors.join('\n');
    expect(text).toContain(message);
    for (const name of SERVICES) expect(text).toContain(name);
  });
});
