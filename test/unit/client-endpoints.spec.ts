import { describe, expect, it } from '@jest/globals';
import { constants } from 'node:os';
import { ClientReport } from '../../src/client/client-report.js';
import type { Endpoint } from '../../src/client/pool/endpoint.js';
import { Endpoints } from '../../src/client/pool/endpoints.js';
import type { GevClientOptions } from '../../src/client/gev.client.options.js';
import type { Link, LinkSession } from '../../src/client/pool/link.js';
import type { OfflineQueue, Waiter } from '../../src/client/pool/offline-queue.js';
import type { ProcessHold } from '../../src/core/process-hold.js';
import { GevProtocolError } from '../../src/core/errors.js';
import { validateClientOptions } from '../../src/client/validate-client-options.js';
import { type FakeClientConnection, FakeClientReactor, turn } from './support/fake-client-reactor.js';
import { FakeClock } from './support/fake-clock.js';

/** What is spoken over a connection in these tests: requests that are never answered. */
class FakeSession implements LinkSession {
  readonly requests: Request[] = [];
  ungreeted = false;
  probing = false;

  constructor(
    private readonly greeting: Link[],
    private readonly link: Link,
  ) {}

  get inFlight(): number {
    return this.requests.length;
  }

  get idle(): boolean {
    return this.requests.length === 0;
  }

  greet(): void {
    this.greeting.push(this.link);
  }

  failAll(error: unknown): void {
    for (const request of this.requests) request.fail(error);
  }

  abandonAll(error: unknown): undefined {
    this.failAll(error);
  }

  receive(): void {}

  stop(): void {}

  told(): undefined {}
}

class Request implements Waiter {
  offlineQueue: OfflineQueue | undefined;
  link: Link | undefined;
  error: any;

  get connection(): FakeClientConnection | undefined {
    return this.link?.connection as unknown as FakeClientConnection | undefined;
  }

  take(link: Link): void {
    this.link = link;
    requestsOn(link).push(this);
  }

  fail(error: unknown): void {
    this.error = error;
  }

  runInAsyncScope(run: () => void): void {
    run();
  }
}

function requestsOn(link: Link): Request[] {
  return (link.session as FakeSession).requests;
}

function endpointOf(link: Link | undefined): Endpoint {
  return link!.endpoint as Endpoint;
}

/** Endpoints on fake reactors and a clock that stands still. */
function setUp(options: GevClientOptions = {}) {
  const clock = new FakeClock();
  const reactors: FakeClientReactor[] = [];
  const statuses: string[] = [];
  const events: string[] = [];
  const lines: string[] = [];
  const greeting: Link[] = [];
  const write = (line: string): void => void lines.push(line);
  const report = new ClientReport({ log: write, warn: write, error: write });
  report.on('connect', () => events.push('connect'));
  report.on('disconnect', (...[, error]) =>
    events.push(`disconnect ${(error as { reason: string }).reason}`),
  );
  report.on('reconnecting', (_, delay) => events.push(`reconnecting ${delay}`));
  let answer: string | undefined;
  let failure: Error | undefined;
  const endpoints = new Endpoints({
    options: validateClientOptions({ port: 1, host: '127.0.0.1', ...options }),
    clock,
    report,
    // A real one would hold the process of the tests.
    hold: { up: () => undefined, down: () => undefined } as unknown as ProcessHold,
    createReactor(handler) {
      const reactor = new FakeClientReactor(handler);
      reactor.answer = answer;
      if (failure !== undefined) reactor.start = () => Promise.reject(failure!);
      reactors.push(reactor);
      return reactor;
    },
    onStatus: (status) => statuses.at(-1) !== status && statuses.push(status),
    openSession: (link) => new FakeSession(greeting, link),
  });
  return {
    clock,
    reactors,
    statuses,
    events,
    lines,
    greeting,
    report,
    endpoints,
    get reactor(): FakeClientReactor {
      return reactors.at(-1)!;
    },
    /** From now on dials are answered by themselves. */
    answer(how: string | undefined) {
      answer = how;
      for (const reactor of reactors) reactor.answer = how;
    },
    /** Reactors made from now on do not start. */
    failStart(error: Error | undefined) {
      failure = error;
    },
    request(): Request {
      const request = new Request();
      endpoints.assign(request);
      return request;
    },
    async pass(ms: number): Promise<void> {
      clock.advance(ms);
      await turn();
    },
  };
}

const three = {
  host: undefined,
  port: undefined,
  endpoints: [1, 2, 3].map((port) => ({ host: '127.0.0.1', port })),
};

describe('connecting', () => {
  it('resolves with the first connection of any endpoint', async () => {
    const client = setUp(three);
    const connected = client.endpoints.connectAny();
    await turn();
    expect(client.reactor.calls).toEqual(['start', ...[1, 2, 3].map((port) => `dial 127.0.0.1:${port}`)]);
    client.reactor.refuse('ECONNREFUSED', 1);
    client.reactor.accept(3);
    await connected;
    expect(client.statuses).toEqual(['connected']);
  });

  it('rejects with what the last attempt failed with when all have, and leaves nothing behind', async () => {
    const client = setUp(three);
    const connected = client.endpoints.connectAny();
    await turn();
    for (const port of [3, 1, 2]) client.reactor.refuse('ECONNREFUSED', port);
    await expect(connected).rejects.toMatchObject({ name: 'GevConnectError', port: 2 });
    await turn();
    expect(client.reactor.stopped).toBe(true);
    expect(client.clock.timerCount).toBe(0);
    expect(client.statuses).toEqual(['disconnected']);
    expect(client.lines).toEqual([]);

    client.answer('accept');
    await client.endpoints.connectAny();
    expect(client.reactors).toHaveLength(2);
    expect(client.statuses).toEqual(['disconnected', 'connected']);
  });

  it('fails with the error of a reactor that does not start, and may be tried again', async () => {
    const client = setUp();
    client.failStart(new Error('no addon'));
    await expect(client.endpoints.connectAny()).rejects.toThrow('no addon');
    expect(client.statuses).toEqual(['disconnected']);
    client.failStart(undefined);
    client.answer('accept');
    await client.endpoints.connectAny();
    expect(client.statuses).toEqual(['disconnected', 'connected']);
  });

  it('makes so many connections to each endpoint', async () => {
    const client = setUp({ ...three, connections: 2 });
    client.answer('accept');
    await client.endpoints.connectAny();
    await turn();
    expect(client.reactor.connections).toHaveLength(6);
    expect(client.endpoints.stats().map(({ connections }) => connections)).toEqual([2, 2, 2]);
  });
});

describe('picking a connection', () => {
  const ports = (requests: Request[]) => requests.map(({ link }) => link!.endpoint.name.slice(-1)).join('');

  it('takes one endpoint after the other', async () => {
    const client = setUp({ ...three, connections: 2 });
    client.answer('accept');
    await client.endpoints.connectAny();
    await turn();
    const requests = Array.from({ length: 12 }, () => client.request());
    expect(ports(requests)).toMatch(/^(123123123123|231231231231|312312312312)$/);
    expect(new Set(requests.slice(0, 6).map(({ link }) => link)).size).toBe(6);
  });

  it('takes the one with the least in flight, equals in turn', async () => {
    const client = setUp({ ...three, balance: 'least-in-flight' });
    client.answer('accept');
    await client.endpoints.connectAny();
    await turn();
    const requests = Array.from({ length: 6 }, () => client.request());
    expect([...ports(requests)].sort().join('')).toBe('112233');
    requestsOn(requests[0]!.link!).length = 0;
    expect(client.request().link).toBe(requests[0]!.link);
  });

  it.each(['round-robin', 'least-in-flight'] as const)(
    'passes over one that has too much to send while there is another (%s)',
    async (balance) => {
      const client = setUp({ ...three, balance });
      client.answer('accept');
      await client.endpoints.connectAny();
      await turn();
      const [first, second, third] = client.reactor.connections;
      first!.congested = second!.congested = true;
      for (let request = 0; request < 3; request++) expect(client.request().connection).toBe(third);
      third!.congested = true;
      expect(client.request().connection).toBeDefined();
    },
  );

  describe('K3: an endpoint whose connections do not last', () => {
    const ejection = { failures: 2, duration: 500 };

    async function started(options: GevClientOptions) {
      const client = setUp(options);
      client.answer('accept');
      await client.endpoints.connectAny();
      await turn();
      return { client, bad: endpointOf(client.request().link) };
    }

    /** Loses the connection, and waits until there is another. */
    async function lose(client: ReturnType<typeof setUp>, endpoint: Endpoint): Promise<void> {
      const link = endpoint.links[0]!;
      (link.connection as unknown as FakeClientConnection).drop();
      await client.pass(5_000);
      expect(endpoint.links[0]).not.toBe(link);
    }

    it('is left out after so many losses without a reply between them', async () => {
      const { client, bad } = await started({ ...three, ejection: { failures: 2, duration: 60_000 } });
      await lose(client, bad);
      bad.replied();
      await lose(client, bad);
      expect(bad.ejected).toBe(false);
      await lose(client, bad);
      expect(bad.stats).toMatchObject({ ejected: true, state: 'connected' });
      const others = Array.from({ length: 6 }, () => endpointOf(client.request().link));
      expect(others).not.toContain(bad);
      await client.pass(60_000);
      expect(Array.from({ length: 3 }, () => endpointOf(client.request().link))).toContain(bad);
    });

    it('is left out at once when it answers nothing, and twice as long each further time', async () => {
      const { client, bad } = await started({ ...three, ejection });
      for (const duration of [500, 1_000, 2_000, 4_000, 8_000, 8_000]) {
        bad.silent();
        expect(bad.ejected).toBe(true);
        client.clock.advance(duration - 1);
        expect(bad.ejected).toBe(true);
        client.clock.advance(1);
        expect(bad.ejected).toBe(false);
      }
    });

    it('begins anew once it has done well for as long as it was left out', async () => {
      const { client, bad } = await started({ ...three, ejection });
      bad.silent();
      client.clock.advance(500);
      bad.replied();
      client.clock.advance(501);
      bad.silent();
      client.clock.advance(500);
      expect(bad.ejected).toBe(false);
    });

    it('is used all the same where more than half would be left out', async () => {
      const { client } = await started({ ...three, ejection });
      const all = client.endpoints.stats().map(() => endpointOf(client.request().link));
      for (const endpoint of all) endpoint.silent();
      expect(all.filter(({ ejected }) => ejected)).toHaveLength(1);
      const alone = await started({ ejection });
      alone.bad.silent();
      expect(alone.bad.ejected).toBe(false);
      expect(alone.client.request().link).toBeDefined();
    });

    it('several connections that go together count as one loss', async () => {
      const { client, bad } = await started({ ...three, ejection, connections: 4 });
      for (const link of [...bad.links]) (link.connection as unknown as FakeClientConnection).drop();
      expect(bad.ejected).toBe(false);
      await client.pass(100);
      expect(bad.links).toHaveLength(4);
    });
  });
});

describe('a request without a connection', () => {
  it('L2: waits for the attempt that it starts', async () => {
    const client = setUp();
    const requests = [client.request(), client.request()];
    expect(client.endpoints.queued).toBe(2);
    await turn();
    const connection = client.reactor.accept();
    await turn();
    expect(requests.map((request) => request.connection)).toEqual([connection, connection]);
    expect(client.endpoints.queued).toBe(0);
  });

  it('L2, K3: fails with that attempt; one that comes too soon after it waits for the next, a moment later', async () => {
    const client = setUp();
    client.answer('ECONNREFUSED');
    const first = client.request();
    await turn();
    expect(first.error).toMatchObject({ code: 'ECONNREFUSED' });
    const second = client.request();
    await client.pass(99);
    expect([second.error, client.reactors.flatMap(({ dials }) => dials)]).toEqual([undefined, []]);
    client.answer('accept');
    await client.pass(1);
    expect(second.link).toBeDefined();
  });

  it('L2: waits in the offline queue, as far as there is room', async () => {
    const client = setUp({ offlineQueue: 2 });
    const early = Array.from({ length: 3 }, () => client.request());
    await turn();
    client.reactor.refuse();
    await turn();
    expect(early.map(({ error }) => error?.code)).toEqual([undefined, undefined, 'ECONNREFUSED']);
    expect(client.endpoints.queued).toBe(2);
    expect(client.statuses).toEqual(['reconnecting']);
    await client.pass(100);
    client.reactor.accept();
    await turn();
    expect(early[0]!.link).toBeDefined();
    expect(early[1]!.link).toBeDefined();
  });

  it('L2: waits there although nobody was ever connected and nothing was going on', async () => {
    const client = setUp({ offlineQueue: 1 });
    client.answer('ECONNREFUSED');
    await client.endpoints.connectAny().catch(() => undefined);
    await turn();
    expect(client.clock.timerCount).toBe(0);
    const waiting = client.request();
    expect(client.endpoints.queued).toBe(1);
    client.answer('accept');
    await client.pass(200);
    expect(waiting.link).toBeDefined();
  });
});

describe('a connection that is lost', () => {
  async function connected(options: GevClientOptions = {}) {
    const client = setUp(options);
    client.answer('accept');
    await client.endpoints.connectAny();
    await turn();
    client.answer(undefined);
    return { client, connection: client.reactor.connections[0]! };
  }

  it('L1: fails what is in flight at once, with the reason', async () => {
    const { client, connection } = await connected();
    const request = client.request();
    connection.drop('reset', 'ECONNRESET');
    expect(request.error).toMatchObject({
      code: 'ERR_GEV_CONNECTION_LOST',
      reason: 'reset',
      endpoint: '127.0.0.1:1',
      cause: expect.objectContaining({ code: 'ECONNRESET' }),
    });
    expect(client.events).toEqual(['connect', 'disconnect reset', 'reconnecting 100']);
    expect(client.lines).toEqual(['Lost the connection to 127.0.0.1:1 (reset): ECONNRESET']);
  });

  it('says what was wrong with a frame', async () => {
    const { client, connection } = await connected();
    connection.drop('protocol', new GevProtocolError(constants.errno.EMSGSIZE, 1000, 1234));
    expect(client.lines).toEqual([
      'Lost the connection to 127.0.0.1:1 (protocol): A frame of 1234 bytes or more is longer than maxFrameLength (1000 bytes): raise it if such frames are meant',
    ]);
  });

  it('L1: so does FIN: the server has said its last word', async () => {
    const { client, connection } = await connected();
    const request = client.request();
    connection.end();
    expect(request.error).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'peer' });
    expect(connection.state).toBe('closing');
    connection.drop('peer');
    expect(client.events).toEqual(['connect', 'disconnect peer', 'reconnecting 100']);
  });

  it('L1: its late end touches nothing of the connection that has taken its place', async () => {
    const { client, connection } = await connected();
    connection.end();
    client.answer('accept');
    await client.pass(100);
    await turn();
    const request = client.request();
    expect(request.connection).toBe(client.reactor.connections[1]);
    connection.drop('reset', 'ECONNRESET');
    expect(request.error).toBeUndefined();
    expect(client.request().connection).toBe(client.reactor.connections[1]);
    expect(client.events).toEqual(['connect', 'disconnect peer', 'reconnecting 100', 'connect']);
  });

  it('L2: is made again after the delay, and the status tells', async () => {
    const { client, connection } = await connected();
    connection.drop();
    expect(client.statuses).toEqual(['connected', 'disconnected', 'reconnecting']);
    await client.pass(99);
    expect(client.reactor.dials).toHaveLength(0);
    await client.pass(1);
    client.reactor.refuse();
    await turn();
    expect(client.events.at(-1)).toBe('reconnecting 200');
    expect(client.lines.at(-1)).toContain('Cannot connect to 127.0.0.1:1: ECONNREFUSED');
    await client.pass(200);
    client.reactor.accept();
    await turn();
    expect(client.statuses).toEqual(['connected', 'disconnected', 'reconnecting', 'connected']);
    expect(client.report.reconnects).toBe(1);
    expect(client.reactors).toHaveLength(1);
  });

  it('K3: is made again at once for the first request, though the background has just tried', async () => {
    const { client, connection } = await connected();
    client.clock.advance(1_000);
    connection.drop();
    await client.pass(100);
    client.reactor.refuse();
    await turn();
    const request = client.request();
    await turn();
    client.reactor.accept();
    await turn();
    expect(request.link).toBeDefined();
  });

  it('K3: is made again for the next ones within a moment, whatever the back-off has come to', async () => {
    const { client, connection } = await connected({ offlineQueue: 1, reconnect: { initialDelay: 5_000 } });
    client.clock.advance(10_000);
    connection.drop();
    const first = client.request();
    await turn();
    client.reactor.refuse();
    await turn();
    expect(first.error).toBeUndefined();
    client.request();
    await client.pass(99);
    expect(client.reactor.dials).toHaveLength(0);
    await client.pass(1);
    client.reactor.accept();
    await turn();
    expect(first.link).toBeDefined();
  });

  it('is made again only when a request needs it where reconnecting is switched off', async () => {
    const { client, connection } = await connected({ reconnect: false });
    connection.drop();
    expect(client.statuses).toEqual(['connected', 'disconnected']);
    await client.pass(60_000);
    expect(client.reactor.dials).toHaveLength(0);
    const request = client.request();
    await turn();
    client.reactor.accept();
    await turn();
    expect(request.link).toBeDefined();
  });

  it('is one of several: the others take the requests', async () => {
    const { client, connection } = await connected({ connections: 2 });
    connection.drop();
    expect(client.statuses).toEqual(['connected']);
    const others = Array.from({ length: 4 }, () => client.request().connection);
    expect(others).not.toContain(connection);
    expect(others).not.toContain(undefined);
    await client.pass(100);
    client.reactor.accept();
    await turn();
    expect(client.endpoints.stats()[0]).toMatchObject({ connections: 2, state: 'connected' });
  });

  it('that is about to end takes no more requests: they wait for its end, and for the next', async () => {
    const { client, connection } = await connected();
    client.clock.advance(1_000);
    connection.state = 'closing';
    const request = client.request();
    expect(client.endpoints.queued).toBe(1);
    connection.drop('backpressure');
    await turn();
    client.reactor.accept();
    await turn();
    expect(request.link).toBeDefined();
  });

  it('tells a request that was never sent that there is no connection', async () => {
    const { client, connection } = await connected();
    connection.state = 'closing';
    const request = client.request();
    connection.drop();
    client.answer('ECONNREFUSED');
    await client.pass(100);
    expect(request.error).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('L2: a server that accepts and hangs up at once is not hammered', async () => {
    const { client } = await connected();
    const delays = [];
    for (let round = 0; round < 6; round++) {
      client.reactor.connections.at(-1)!.drop('peer');
      const delay = Number(client.events.at(-1)!.split(' ')[1]);
      delays.push(delay);
      await client.pass(delay);
      client.reactor.accept();
      await turn();
    }
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200]);
  });

  it('K2: is given up and made again when not even a probe is answered', async () => {
    const { client, connection } = await connected();
    const request = client.request();
    endpointOf(request.link).onSilent(request.link!);
    expect(connection).toMatchObject({ state: 'closing', closeReason: 'reset' });
    expect(request.error).toMatchObject({
      code: 'ERR_GEV_CONNECTION_LOST',
      reason: 'reset',
      cause: expect.objectContaining({ code: 'ETIMEDOUT' }),
    });
    connection.drop();
    await client.pass(100);
    client.reactor.accept();
    await turn();
    expect(client.request().connection).toBe(client.reactor.connections[1]);
    expect(client.events).toEqual(['connect', 'disconnect reset', 'reconnecting 100', 'connect']);
  });
});

describe('closing', () => {
  it('fails what is in flight and what waits, closes what is open, and stops the reactor', async () => {
    const client = setUp();
    const waiting = client.request();
    const connecting = client.endpoints.connectAny();
    await turn();
    const closed = client.endpoints.close();
    expect(waiting.error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    await expect(connecting).resolves.toBeUndefined();
    await closed;
    expect(client.reactor.calls.slice(-2)).toEqual(['closeAll', 'stop']);
    expect(client.clock.timerCount).toBe(0);
  });

  it('hears of nothing any more', async () => {
    const client = setUp();
    client.answer('accept');
    await client.endpoints.connectAny();
    const request = client.request();
    const connection = client.reactor.connections[0]!;
    const closed = client.endpoints.close();
    expect(request.error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    expect(connection).toMatchObject({ state: 'closing', closeReason: 'local' });
    connection.drop('local');
    await closed;
    expect(client.statuses).toEqual(['connected', 'disconnected']);
    expect(client.events).toEqual(['connect']);
    expect(client.request().error).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
  });

  it('while an attempt is under way makes nothing of it', async () => {
    const client = setUp();
    client.endpoints.connectAny().catch(() => undefined);
    await turn();
    const closed = client.endpoints.close();
    client.reactor.accept();
    await closed;
    await turn();
    expect(client.statuses).toEqual(['disconnected']);
    expect(client.events).toEqual([]);
  });
});
