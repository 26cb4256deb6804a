import { beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Child } from '../kit/child.js';
import { Peer } from '../kit/peer.js';
import { errorsOf, SAMPLES } from '../kit/samples.js';
import { sanitized } from '../kit/server-process.js';
import { pause, until } from '../kit/until.js';
import { gt06, type Gt06FrameName } from './gt06-frames.js';

const MAIN = `${SAMPLES}/device-gateway/main.js`; // run-jest.mjs has built it

interface Gateway {
  readonly child: Child;
  readonly port: number;
  /** As whoever looks after the devices; `body` makes it a POST. */
  ask(path: string, body?: object, key?: string): Promise<{ status: number; body: any }>;
}

async function start(env: NodeJS.ProcessEnv = {}): Promise<Gateway> {
  const child = Child.start([MAIN], {
    env: { NO_COLOR: '1', PORT: '0', HTTP_PORT: '0', API_KEY: 'key', ...env },
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

const IMEI = '861234567890123';
const OTHER = '861234567890131';

/** A tracker that says what it is told to say. */
class Tracker {
  private constructor(readonly peer: Peer) {}

  static async connect({ port }: Gateway): Promise<Tracker> {
    const peer = (await Peer.connect(port)).read();
    peer.socket.setNoDelay(true);
    return new Tracker(peer);
  }

  /** One that has logged in as {@link IMEI}. */
  static async loggedIn(gateway: Gateway): Promise<Tracker> {
    const tracker = await Tracker.connect(gateway);
    tracker.say('login');
    await tracker.hears('loginAcknowledged');
    return tracker;
  }

  say(...names: Gt06FrameName[]): void {
    this.peer.write(Buffer.concat(names.map(gt06)));
  }

  async hears(name: Gt06FrameName): Promise<void> {
    const expected = gt06(name);
    expect((await this.peer.take(expected.length)).toString('hex')).toBe(expected.toString('hex'));
  }

  /** Hung up on, without another word. */
  async isSentAway(what = 'it'): Promise<void> {
    await until(() => this.peer.closed, `${what} is hung up on`);
    expect(this.peer.length).toBe(0);
  }
}

/** What HTTP has of the device, once it looks like that. */
async function shows(gateway: Gateway, expected: object): Promise<void> {
  let body: unknown;
  for (let looks = 0; looks < 200; looks++) {
    ({ body } = await gateway.ask(`/devices/${IMEI}`));
    try {
      expect(body).toMatchObject(expected);
      return;
    } catch {
      await pause(20);
    }
  }
  expect(body).toMatchObject(expected);
}

const LISBON = {
  ...{ time: '2026-11-28T01:02:03.000Z', latitude: 38.7223, longitude: -9.1393, speed: 42, course: 270 },
  ...{ satellites: 7, fixed: true },
};
const SYDNEY = {
  ...{ time: '2026-11-28T13:14:15.000Z', latitude: -33.8568, longitude: 151.2153, speed: 0, course: 90 },
  ...{ satellites: 5, fixed: false },
};

(sanitized ? describe.skip : describe)('device-gateway', () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await start();
  });

  it('a device logs in, and is shown with its last position and status', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    tracker.say('lisbon', 'heartbeat');
    await tracker.hears('heartbeatAcknowledged');
    expect(await gateway.ask('/devices')).toEqual({
      status: 200,
      body: [
        {
          ...{ imei: IMEI, remoteAddress: '127.0.0.1', since: expect.any(String), positions: 1 },
          ...{ position: LISBON, status: { ignition: true, charging: true, battery: 6, signal: 4 } },
        },
      ],
    });
    tracker.say('sydney');
    await shows(gateway, { positions: 2, position: SYDNEY });
    tracker.peer.socket.end();
    await tracker.isSentAway();
    expect((await gateway.ask(`/devices/${IMEI}`)).status).toBe(404);
  });

  it('frames of both kinds come mixed on one connection, cut anywhere', async () => {
    const tracker = await Tracker.connect(gateway);
    const names: Gt06FrameName[] = ['login', 'lisbon', 'sydneyLong', 'information', 'heartbeat', 'lisbon'];
    for (const byte of Buffer.concat(names.map(gt06))) {
      tracker.peer.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await tracker.hears('loginAcknowledged');
    await tracker.hears('heartbeatAcknowledged');
    await shows(gateway, { positions: 3, position: LISBON });
    tracker.say('sydneyLong', 'sydneyLong', 'heartbeat'); // and all at once
    await tracker.hears('heartbeatAcknowledged');
    await shows(gateway, { positions: 5, position: SYDNEY });
  });

  it('a frame with a wrong check sum is left out, and not answered', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    const wrong = gt06('lisbon');
    wrong[8]! ^= 1;
    tracker.peer.write(wrong);
    tracker.say('sydney', 'heartbeat');
    await tracker.hears('heartbeatAcknowledged');
    await shows(gateway, { positions: 1, position: SYDNEY });
  });

  it('what is no frame, or no message, ends the connection, when what came before is answered', async () => {
    const changed = (name: Gt06FrameName, at: number, byte: number): Buffer => {
      const frame = gt06(name);
      frame[at < 0 ? frame.length + at : at] = byte;
      return frame;
    };
    const wrong: [string, Buffer][] = [
      ['wrong stop bytes', changed('lisbon', -1, 0)],
      ['a start that is none', changed('lisbon', 1, 0x79)],
      ['a length that is too short for a frame', changed('lisbon', 2, 4)],
      ['a length that is too long for one', changed('sydneyLong', 2, 0xff)],
      ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['an IMEI that is none', gt06('noImei')],
      ['a position that ends too soon', gt06('shortPosition')],
    ];
    for (const [what, bytes] of wrong) {
      const tracker = await Tracker.connect(gateway);
      tracker.peer.write(Buffer.concat([gt06('login'), gt06('heartbeat'), bytes, gt06('heartbeat')]));
      await tracker.hears('loginAcknowledged');
      await tracker.hears('heartbeatAcknowledged');
      await tracker.isSentAway(what);
    }
  });

  it('who has not logged in is hung up on, whatever it says', async () => {
    for (const name of ['lisbon', 'heartbeat'] as const) {
      const tracker = await Tracker.connect(gateway);
      tracker.say(name);
      await tracker.isSentAway(name);
    }
    expect((await gateway.ask('/devices')).body).toEqual([]);
  });

  it('a device that comes again before the first connection is known to be gone takes its place', async () => {
    const first = await Tracker.loggedIn(gateway);
    first.say('lisbon');
    await shows(gateway, { positions: 1 });
    const second = await Tracker.connect(gateway);
    second.say('loginAgain');
    await second.hears('loginAgainAcknowledged');
    await first.isSentAway();
    const left = `${IMEI} has left (replaced)`;
    await until(() => gateway.child.lines.some((line) => line.includes(left)), left);
    second.say('sydney');
    await shows(gateway, { positions: 1, position: SYDNEY });
  });

  it('a command is sent to the device that is named, and its acknowledgement is the answer', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    const first = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('statusCommand');
    tracker.say('heartbeat', 'strayAcknowledgement', 'acknowledgement');
    expect(await first).toEqual({ status: 200, body: { reply: 'Battery:4.1V' } });
    const second = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('heartbeatAcknowledged');
    await tracker.hears('secondStatusCommand');
    tracker.say('longAcknowledgement');
    expect(await second).toEqual({ status: 200, body: { reply: 'Lisboa, Belém' } });
  });

  it('two commands at once: each has its own acknowledgement, in whatever order they come', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    const first = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('statusCommand');
    const second = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('secondStatusCommand');
    tracker.say('secondAcknowledgement', 'acknowledgement');
    expect((await first).body).toEqual({ reply: 'Battery:4.1V' });
    expect((await second).body).toEqual({ reply: 'DONE' });
  });

  it('nobody is there, has the key, or understands it: a command is refused', async () => {
    await Tracker.loggedIn(gateway);
    expect((await gateway.ask(`/devices/${OTHER}/commands`, { command: 'STATUS' })).status).toBe(404);
    for (const command of ['two\nlines', '', 7, 'x'.repeat(2_000), 'süß']) {
      expect((await gateway.ask(`/devices/${IMEI}/commands`, { command })).status).toBe(400);
    }
    expect((await gateway.ask(`/devices/${IMEI}/commands`, { command: 'x' }, 'wrong')).status).toBe(403);
    expect((await gateway.ask('/devices', undefined, 'wrong')).status).toBe(403);
  });

  it('a device that leaves before it acknowledges', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    const asked = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('statusCommand');
    tracker.peer.socket.destroy();
    expect(await asked).toMatchObject({ status: 502 });
  });

  it('health tells of the device port', async () => {
    await Tracker.loggedIn(gateway);
    expect(await gateway.ask('/health', undefined, '')).toMatchObject({
      status: 200,
      body: { status: 'ok', info: { devices: { status: 'up', connections: 1, known: 1 } } },
    });
  });

  it('SIGTERM: devices are hung up on, and the process ends when they have gone', async () => {
    const tracker = await Tracker.loggedIn(gateway);
    gateway.child.kill('SIGTERM');
    await tracker.isSentAway();
    expect(tracker.peer.events).toEqual(['end', 'close']);
    expect(await gateway.child.exit()).toEqual({ code: null, signal: 'SIGTERM' });
  });
});

(sanitized ? describe.skip : describe)('device-gateway, started otherwise', () => {
  it('whoever does not log in in time is sent away, however often it sends a byte', async () => {
    const gateway = await start({ LOGIN_TIMEOUT: '300' });
    const tracker = await Tracker.connect(gateway);
    const bytes = gt06('login').subarray(0, -1);
    let sent = 0;
    const timer = setInterval(() => tracker.peer.write(bytes.subarray(sent, ++sent)), 50);
    await tracker.isSentAway();
    clearInterval(timer);
  });

  it('a device that never acknowledges, and one that is late with it', async () => {
    const gateway = await start({ COMMAND_TIMEOUT: '1500' });
    const tracker = await Tracker.loggedIn(gateway);
    expect((await gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' })).status).toBe(504);
    await tracker.hears('statusCommand');
    const second = gateway.ask(`/devices/${IMEI}/commands`, { command: 'STATUS' });
    await tracker.hears('secondStatusCommand');
    tracker.say('acknowledgement', 'secondAcknowledgement'); // the first is of the command that was given up
    expect(await second).toEqual({ status: 200, body: { reply: 'DONE' } });
  });

  it('with a list of devices, others are hung up on', async () => {
    const gateway = await start({ IMEIS: `${OTHER}, 861234567890149` });
    const stranger = await Tracker.connect(gateway);
    stranger.say('login', 'lisbon');
    await stranger.isSentAway();
    const other = await Tracker.connect(gateway);
    other.say('otherLogin');
    await other.hears('loginAcknowledged');
    expect((await gateway.ask(`/devices/${OTHER}`)).body).toMatchObject({ imei: OTHER, positions: 0 });
  });

  it('its client is a device, and comes back when the gateway does', async () => {
    const gateway = await start();
    const env = { PORT: `${gateway.port}` };
    const client = Child.start([`${SAMPLES}/device-gateway/client.js`, IMEI], { env });
    await until(() => client.lines.includes('logged in'));
    const asked = gateway.ask(`/devices/${IMEI}/commands`, { command: 'RELAY,1#' });
    expect(await asked).toEqual({ status: 200, body: { reply: 'RELAY,1#: done' } });
    expect(client.lines).toContain('told to RELAY,1#');
    await shows(gateway, {
      position: { fixed: true, satellites: 7, course: 270 },
      status: { ignition: true },
    });
    gateway.child.kill('SIGTERM');
    await gateway.child.exit();
    await start({ PORT: `${gateway.port}` });
    await until(() => client.lines.filter((line) => line === 'logged in').length === 2, 'it is back');
  });

  it.each([
    [{ NODE_ENV: 'production' }, 'IMEIS must be set'],
    [{ NODE_ENV: 'production', IMEIS: 'any', API_KEY: undefined }, 'API_KEY must be set'],
    [{ IMEIS: '12345' }, 'IMEIS must be "any", or numbers of 15 digits'],
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
