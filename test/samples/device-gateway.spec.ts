import { beforeEach, describe, expect, it } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Child } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { errorsOf, SAMPLES } from '../kit/samples.js';
import { sanitized } from '../kit/server-process.js';
import { until } from '../kit/until.js';

const MAIN = `${SAMPLES}/device-gateway/main.js`; // run-jest.mjs has built it
const SECRET = 'of the test';
const tokenOf = (name: string): string => createHmac('sha256', SECRET).update(name).digest('hex');

interface Gateway {
  readonly child: Child;
  readonly port: number;
  /** As whoever looks after the devices; `body` makes it a POST. */
  ask(path: string, body?: object, key?: string): Promise<{ status: number; body: any }>;
}

async function start(env: NodeJS.ProcessEnv = {}): Promise<Gateway> {
  const secrets = { DEVICE_SECRET: SECRET, API_KEY: 'key' };
  const child = Child.start([MAIN], {
    env: { NO_COLOR: '1', PORT: '0', HTTP_PORT: '0', ...secrets, ...env },
  });
  const line = (): string | undefined => child.lines.find((text) => text.includes('Listening: '));
  await until(() => line() !== undefined || !child.running, 'the gateway listens');
  const [, address, url] = /Listening: (\{.*?\}), (\S+)\/devices/.exec(line() ?? '') ?? [];
  if (address === undefined) throw new Error(child.errors.join('\n'));
  return {
    child,
    port: (JSON.parse(address) as AddressInfo).port,
    async ask(path, body, key = 'key') {
      const response = await fetch(`${url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: await response.json() };
    },
  };
}

/** What a device is told, line by line. */
async function lineOf(peer: Peer): Promise<string> {
  let line = '';
  while (!line.endsWith('\n')) line += await peer.text(1);
  return line.trimEnd();
}

async function device(gateway: Gateway, name: string): Promise<Peer> {
  const peer = (await Peer.connect(gateway.port)).read();
  peer.write(`AUTH ${name} ${tokenOf(name)}\n`);
  expect(await lineOf(peer)).toBe('OK');
  return peer;
}

(sanitized ? describe.skip : describe)('device-gateway', () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await start();
  });

  it('a device that says who it is sends readings, which are there for HTTP', async () => {
    const peer = await device(gateway, 'boiler.1');
    // Lines end where they end, whatever a chunk brings.
    peer.write('{"celsius":');
    peer.write('71}\n\n{"celsius":72}\r\n{"cel');
    peer.write('sius":73}\nnonsense\n');
    expect(await lineOf(peer)).toBe('ERR that is no JSON');
    expect(await gateway.ask('/devices')).toEqual({
      status: 200,
      body: [
        {
          ...{ name: 'boiler.1', remoteAddress: '127.0.0.1', since: expect.any(String) },
          ...{ readings: 3, lastReading: { celsius: 73 } },
        },
      ],
    });
    expect((await gateway.ask('/devices/boiler.1')).body).toMatchObject({ readings: 3 });
    peer.socket.end();
    await until(() => peer.closed);
    expect((await gateway.ask('/devices/boiler.1')).status).toBe(404);
  });

  it('a command is pushed to the device that is named, or to all, and to nobody who is not known', async () => {
    const [one, other] = [await device(gateway, 'one'), await device(gateway, 'other')];
    const stranger = (await Peer.connect(gateway.port)).read();
    expect(await gateway.ask('/devices/one/commands', { command: 'blink' })).toMatchObject({ status: 202 });
    expect(await lineOf(one)).toBe('CMD blink');
    expect(await gateway.ask('/devices/commands', { command: 'sleep' })).toEqual({
      status: 202,
      body: { sent: 2 },
    });
    expect(await lineOf(one)).toBe('CMD sleep');
    expect(await lineOf(other)).toBe('CMD sleep');
    expect(stranger.length).toBe(0);
    expect((await gateway.ask('/devices/nobody/commands', { command: 'blink' })).status).toBe(404);
    for (const command of ['two\nlines', '', 7, 'x'.repeat(2_000)]) {
      expect((await gateway.ask('/devices/one/commands', { command })).status).toBe(400);
    }
    expect((await gateway.ask('/devices/one/commands', { command: 'blink' }, 'wrong')).status).toBe(403);
    expect((await gateway.ask('/devices', undefined, 'wrong')).status).toBe(403);
  });

  it.each([
    ['a wrong token', `AUTH one ${tokenOf('other')}\n`, 'ERR that is not how we know you'],
    ['no token', 'AUTH one\n', 'ERR that is not how we know you'],
    ['something else', 'GET / HTTP/1.1\r\n', 'ERR that is not how we know you'],
    ['a line without end', 'x'.repeat(5_000), 'ERR the line is too long'],
  ])('%s instead of AUTH: is told so, and the connection ends', async (_, sent, told) => {
    const peer = (await Peer.connect(gateway.port)).read();
    peer.write(`${sent}{"a":1}\n`);
    expect(await lineOf(peer)).toBe(told);
    await until(() => peer.closed);
    expect((await gateway.ask('/devices')).body).toEqual([]);
  });

  it('a device that comes again before the first connection is known to be gone takes its place', async () => {
    const first = await device(gateway, 'one');
    const second = await device(gateway, 'one');
    expect(await lineOf(first)).toBe('ERR you are here twice');
    await until(() => first.closed);
    await gateway.ask('/devices/one/commands', { command: 'blink' });
    expect(await lineOf(second)).toBe('CMD blink');
  });

  it('health tells of the device port', async () => {
    await device(gateway, 'one');
    expect(await gateway.ask('/health', undefined, '')).toMatchObject({
      status: 200,
      body: { status: 'ok', info: { devices: { status: 'up', connections: 1, known: 1 } } },
    });
  });

  it('SIGTERM: devices are told, and the process ends when they have gone', async () => {
    const peer = await device(gateway, 'one');
    gateway.child.kill('SIGTERM');
    expect(await lineOf(peer)).toBe('BYE');
    await until(() => peer.closed);
    expect(peer.events).not.toContain('error');
    expect(await gateway.child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
  });
});

(sanitized ? describe.skip : describe)('device-gateway, started otherwise', () => {
  it('whoever does not say who it is in time is sent away, however often it sends a byte', async () => {
    const gateway = await start({ AUTH_TIMEOUT: '300' });
    const peer = (await Peer.connect(gateway.port)).read();
    const timer = setInterval(() => peer.write('x'), 50);
    expect(await lineOf(peer)).toBe('ERR say who you are');
    await until(() => peer.closed);
    clearInterval(timer);
  });

  it('its client is a device, and comes back when the gateway does', async () => {
    const gateway = await start();
    const env = { PORT: `${gateway.port}`, DEVICE_SECRET: SECRET };
    const client = Child.start([`${SAMPLES}/device-gateway/client.js`, 'lamp'], { env });
    const here = async (): Promise<boolean> => (await gateway.ask('/devices/lamp')).status === 200;
    while (!(await here()));
    await gateway.ask('/devices/lamp/commands', { command: 'on' });
    await until(() => client.lines.includes('CMD on'));
    gateway.child.kill('SIGTERM');
    await gateway.child.exit();
    expect(client.lines).toContain('BYE');
    await start({ PORT: `${gateway.port}` });
    await until(() => client.lines.filter((line) => line === 'OK').length === 2, 'it is back');
  });

  it.each([
    [{ NODE_ENV: 'production', DEVICE_SECRET: undefined }, 'DEVICE_SECRET must be set'],
    [{ PORT: 'seven' }, 'PORT must be a whole number'],
  ])('%j: says what is wrong and exits with 1', async (env, message) => {
    const child = Child.start([MAIN], { env: { API_KEY: 'key', ...env } });
    expect(await child.exit()).toEqual({ code: 1, signal: null });
    expect(errorsOf(child)).toEqual([message]);
  });

  it('a port that is taken is told in a line', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const child = Child.start([MAIN], { env: { PORT: `${port}`, HTTP_PORT: '0' } });
    expect(await child.exit()).toEqual({ code: 1, signal: null });
    expect(errorsOf(child)).toEqual([expect.stringContaining(`127.0.0.1:${port}: EADDRINUSE`)]);
    taken.close();
  });
});
