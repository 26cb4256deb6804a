import { describe, expect, it } from '@jest/globals';
import {
  GevConnectionLostError,
  GevRecordBuilder,
  type GevClientOptions,
  type GevServerOptions,
} from 'nestjs-gev';
import { firstValueFrom, lastValueFrom, retry, take, toArray } from 'rxjs';
import { descriptors, warmThreadPool } from '../kit/process-stats.js';
import { Relay } from '../kit/relay.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { startRpc } from '../kit/rpc-process.js';
import { serveRpc, type ServerKind } from '../kit/rpc-service.js';
import { until } from '../kit/until.js';

const echo = { cmd: 'echo' };

/** The error that a request ends with. */
const failure = (promise: Promise<unknown>): Promise<any> =>
  promise.then(
    (value) => Promise.reject(new Error(`It succeeded: ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  );

describe.each<[ServerKind, number]>([
  ['GevServer', 0],
  ['GevServer', 1],
  ['ServerTCP', 0],
  ['ServerTCP', 1],
])('a client of a %s, on %i loop threads', (kind, loops) => {
  /** A service, a relay before it and a client of that. */
  async function setUp(options: GevClientOptions = {}, server: GevServerOptions = {}) {
    const service = await serveRpc(kind, server);
    const relay = await Relay.to(service.port);
    const client = clientOf({ port: relay.port, loops, ...options });
    const statuses: string[] = [];
    client.status.subscribe((status) => statuses.push(status));
    await client.connect();
    return { service, relay, client, statuses };
  }

  /** A client of two services, the first of them behind a relay, with a connection to each. */
  async function setUpTwo(options: GevClientOptions = {}) {
    const [first, second] = [await serveRpc(kind), await serveRpc(kind)];
    const relay = await Relay.to(first.port);
    const endpoints = [relay, second].map(({ port }) => ({ host: '127.0.0.1', port }));
    const client = clientOf({ loops, endpoints, ...options });
    await client.connect();
    await until(() => client.stats().endpoints.every(({ connections }) => connections === 1), 'both are up');
    await until(() => relay.accepted === 1, 'the relay knows');
    return { client, relay, first, second };
  }

  describe('that all is well with', () => {
    it('P2: is answered every kind of request, and its events arrive', async () => {
      const { client, service } = await setUp();
      const ask = (pattern: unknown, data: unknown): Promise<unknown> =>
        firstValueFrom(client.send(pattern, data));
      expect(await ask('sum', [1, 2, 3])).toBe(6);
      expect(await ask('later', { ms: 5, value: 'x' })).toBe('x');
      expect(await ask(echo, false)).toBe(false);
      expect(await lastValueFrom(client.send('count', 3).pipe(toArray()))).toEqual([1, 2, 3]);
      expect(await lastValueFrom(client.send('count', 0).pipe(toArray()))).toEqual([]);
      expect(await lastValueFrom(client.send('ticks', 2).pipe(take(3), toArray()))).toEqual([1, 2, 3]);
      expect(await lastValueFrom(client.send('nothing', 1), { defaultValue: 'none' })).toBe('none');
      expect(await failure(ask('fail', { code: 7 }))).toEqual({ code: 7 });
      expect(await failure(ask('unknown', 1))).toContain('There is no matching message handler');
      await firstValueFrom(client.emit({ topic: 'note' }, 'heard'));
      await until(() => service.events.length === 1, 'the event arrives');
      expect(service.events).toEqual(['heard']);
      expect(client.stats()).toMatchObject({ inFlight: 0, queued: 0, timeouts: 0 });
      expect(service.lines).toEqual([]);
    });

    it('P2: sends and receives any text, 1 MiB of it, and 10,000 requests at once', async () => {
      const { client } = await setUp();
      for (const text of [
        'é漢😀',
        '\ud800 \udfff',
        '"\\\u0000\u2028',
        '#5#{}',
        'x'.repeat(1024 * 1024),
        '漢'.repeat(300_000),
      ]) {
        expect((await firstValueFrom(client.send(echo, text))) === text).toBe(true);
      }
      const requests = Array.from({ length: 10_000 }, (_, index) => firstValueFrom(client.send(echo, index)));
      expect(client.stats().inFlight).toBe(10_000);
      expect(await Promise.all(requests)).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
    });

    it('P2: sends and receives 16 MiB with maxFrameLength raised', async () => {
      const { client } = await setUp(
        { maxFrameLength: 17 * 1024 * 1024 },
        { maxFrameLength: 17 * 1024 * 1024 },
      );
      const text = 'x'.repeat(16 * 1024 * 1024);
      expect((await firstValueFrom(client.send(echo, text))) === text).toBe(true);
    });

    it('P2: sends more at once than either side buffers, and neither waits for the other', async () => {
      const { client } = await setUp();
      const text = 'x'.repeat(1024 * 1024);
      const requests = Array.from({ length: 24 }, (_, index) =>
        firstValueFrom(client.send(echo, `${index}${text}`)),
      );
      const replies = (await Promise.all(requests)) as string[];
      expect(replies.map((reply, index) => reply === `${index}${text}`)).toEqual(replies.map(() => true));
    });

    it('P2: attaches metadata that handlers can read', async () => {
      const { client } = await setUp();
      const data = new GevRecordBuilder(1).setMetadata({ tenant: 'a' }).build();
      expect(await firstValueFrom(client.send('metadata', data))).toEqual({ tenant: 'a' });
    });
  });

  describe('that loses its connection', () => {
    it.each([
      ['is reset', 'reset', 'cut'],
      ['ends', 'peer', 'end'],
    ] as const)(
      'L1: that %s fails all that is in flight at once, with the reason',
      async (_, reason, how) => {
        const { client, relay } = await setUp();
        const stream = new Subscriber(client.send('ticks', 1));
        const calls = Array.from({ length: 100 }, () => new Subscriber(client.send('never', 1)));
        await until(() => stream.seen.length > 2, 'the stream has begun');
        relay[how]();
        await until(() => [stream, ...calls].every(({ last }) => last instanceof Error), 'all have failed');
        for (const { last } of [stream, ...calls]) {
          expect(last).toBeInstanceOf(GevConnectionLostError);
          expect(last).toMatchObject({
            code: 'ERR_GEV_CONNECTION_LOST',
            reason,
            endpoint: `127.0.0.1:${relay.port}`,
          });
        }
        expect(calls[0]!.last.cause?.code).toBe(reason === 'reset' ? 'ECONNRESET' : undefined);
        expect(client.stats().inFlight).toBe(0);
      },
    );

    it('L1: because the server was killed, has nothing that hangs', async () => {
      const { child, port } = await startRpc(kind);
      const client = clientOf({ port, loops, requestTimeout: 0 });
      const calls = Array.from({ length: 1_000 }, () => new Subscriber(client.send('never', 1)));
      expect(await firstValueFrom(client.send('pid', 1))).toBe(child.pid);
      child.kill('SIGKILL');
      await until(
        () => calls.every(({ last }) => last?.code === 'ERR_GEV_CONNECTION_LOST'),
        'all have failed',
      );
    });

    it('L1: for having sent more than the server takes, fails what is in flight, and goes on with another', async () => {
      const { client, relay } = await setUp({ maxSendBuffer: 2 ** 20 });
      expect(await firstValueFrom(client.send('sum', [1]))).toBe(1);
      relay.stall();
      const [connection] = client.unwrap().connections;
      const calls: Subscriber[] = [];
      while (connection!.state === 'open' && calls.length < 200) {
        calls.push(new Subscriber(client.send(echo, 'x'.repeat(600_000))));
      }
      await until(() => calls.every(({ last }) => last instanceof Error), 'all have failed');
      for (const { last } of calls) {
        expect(last).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', reason: 'backpressure' });
      }
      expect(await firstValueFrom(client.send('sum', [2]).pipe(retry({ delay: 20, count: 100 })))).toBe(2);
    });

    it('L2: connects again by itself, and the status tells', async () => {
      const { client, relay, statuses } = await setUp({ reconnect: { initialDelay: 10, maxDelay: 50 } });
      const delays: number[] = [];
      client.on('reconnecting', (_, delay) => delays.push(delay));
      await relay.stop();
      await until(() => delays.length >= 4, 'attempts follow each other');
      expect(statuses).toEqual(['connected', 'disconnected', 'reconnecting']);
      for (const [index, most] of [10, 20, 40, 50].entries()) {
        expect(delays[index]).toBeGreaterThanOrEqual(most / 2);
        expect(delays[index]).toBeLessThanOrEqual(most);
      }
      await relay.start();
      await until(() => statuses.at(-1) === 'connected', 'it is connected again');
      expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
      expect(client.stats()).toMatchObject({ reconnects: 1, endpoints: [{ state: 'connected' }] });
    });

    it('L2: has requests made meanwhile fail fast, and knows why', async () => {
      const { client, relay } = await setUp({ reconnect: { initialDelay: 5_000 } });
      await relay.stop();
      await until(() => client.stats().endpoints[0]!.state === 'waiting', 'it backs off');
      // Each with an attempt of its own, whatever the back-off.
      for (const request of [client.send('sum', [1]), client.emit('note', 1)]) {
        expect(await failure(firstValueFrom(request))).toMatchObject({ code: 'ECONNREFUSED' });
      }
      expect(client.stats().endpoints[0]).toMatchObject({ state: 'waiting' });
    });

    it('K3: dials at once for the first request after the server is back, whatever the back-off', async () => {
      const { client, relay } = await setUp({ reconnect: { initialDelay: 60_000, maxDelay: 60_000 } });
      await relay.stop();
      await until(() => client.stats().endpoints[0]!.state === 'waiting', 'it backs off');
      await relay.start();
      expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
    });

    it('L2: has requests made meanwhile wait, up to the limit', async () => {
      const { client, relay, service } = await setUp({
        offlineQueue: 3,
        reconnect: { initialDelay: 50, maxDelay: 50 },
      });
      await relay.stop();
      await until(() => client.stats().endpoints[0]!.state === 'waiting', 'it backs off');
      const requests = [1, 2].map((number) => firstValueFrom(client.send('sum', [number])));
      const event = firstValueFrom(client.emit({ topic: 'note' }, 'queued'));
      await until(() => client.stats().endpoints[0]!.state === 'waiting', 'it backs off');
      expect(client.stats().queued).toBe(3);
      await relay.start();
      expect(await Promise.all(requests)).toEqual([1, 2]);
      await event;
      await until(() => service.events.length === 1, 'the event arrives');
      expect(client.stats().queued).toBe(0);
    });

    it('L2: connects at once when a request needs it', async () => {
      const { client, relay } = await setUp({
        reconnect: { initialDelay: 60, maxDelay: 60_000, factor: 1000, jitter: 0 },
      });
      await relay.stop();
      let delay = 0;
      client.on('reconnecting', (_, ms) => (delay = ms));
      await until(() => delay === 60_000, 'the next attempt is far away');
      await relay.start();
      expect(await firstValueFrom(client.send('sum', [2]).pipe(retry({ delay: 20, count: 100 })))).toBe(2);
    });

    it('L2: goes to the other endpoint meanwhile', async () => {
      const { client, relay, first, second } = await setUpTwo();
      const seen = new Set<unknown>();
      for (let call = 0; call < 2; call++) seen.add(await firstValueFrom(client.send('port', 1)));
      expect(seen).toEqual(new Set([first.port, second.port]));
      await relay.stop();
      await until(() => client.stats().endpoints[0]!.connections === 0, 'the first is gone');
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => firstValueFrom(client.send('port', 1))),
      );
      expect(new Set(answers)).toEqual(new Set([second.port]));
    });
  });

  describe('that gives a request up', () => {
    const told = kind === 'GevServer';

    it(`L3: frees its id${told ? ' and tells the server, which stops' : ', and the server logs nothing'}`, async () => {
      const { client, relay, service } = await setUp();
      const streams = Array.from({ length: 20 }, () => new Subscriber(client.send('ticks', 1)));
      const silent = new Subscriber(client.send('silence', 1));
      await until(
        () => streams.every(({ seen }) => seen.length > 2) && service.streams() === 21,
        'all have begun',
      );
      expect(relay.requests).not.toContain('gev:cancel');
      for (const stream of [...streams, silent]) stream.leave();
      expect(client.stats().inFlight).toBe(0);
      if (told) await until(() => service.streams() === 0, 'the server has stopped');
      else await until(() => relay.requests.includes('gev:hello'), 'the server was asked');
      const counts = streams.map(({ seen }) => seen.length);
      expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
      expect(streams.map(({ seen }) => seen.length)).toEqual(counts);
      expect(relay.requests.split('gev:hello')).toHaveLength(2);
      expect(relay.requests.includes('gev:cancel')).toBe(told);
      expect(service.lines).toEqual([]);
    });

    it('L3: does so for one that timed out, one that was aborted and one that had enough', async () => {
      const { client, service } = await setUp();
      const controller = new AbortController();
      const timed = new GevRecordBuilder(1).setTimeout(20).build();
      const aborted = new GevRecordBuilder(1).setSignal(controller.signal).build();
      const slow = new Subscriber(client.send('silence', timed));
      const stopped = new Subscriber(client.send('silence', aborted));
      expect(await firstValueFrom(client.send('ticks', 1))).toBe(1);
      controller.abort();
      expect(stopped.last).toMatchObject({ code: 'ERR_GEV_ABORTED' });
      await until(() => slow.last?.code === 'ERR_GEV_TIMEOUT', 'it has timed out');
      expect(client.stats().inFlight).toBe(0);
      if (told) await until(() => service.streams() === 0, 'the server has stopped');
    });

    if (told) {
      it('L3: has the signal of its handler fire', async () => {
        const { client, service } = await setUp();
        const call = new Subscriber(client.send('never', 1));
        expect(await firstValueFrom(client.send('sum', [1]))).toBe(1);
        call.leave();
        await until(() => service.aborted() === 1, 'the signal has fired');
      });
    }
  });

  describe('whose server takes too long', () => {
    it('L4: fails the request in time; the late reply is dropped and counted', async () => {
      const { client } = await setUp({ requestTimeout: 30 });
      const late = failure(firstValueFrom(client.send('later', { ms: 500, value: 1 })));
      expect(await late).toMatchObject({ code: 'ERR_GEV_TIMEOUT', pattern: 'later', ms: 30 });
      const own = new GevRecordBuilder({ ms: 60, value: 2 }).setTimeout(60_000).build();
      expect(await firstValueFrom(client.send('later', own))).toBe(2);
      expect(client.stats()).toMatchObject({ timeouts: 1, inFlight: 0 });
      // Ours was told to stop and sends none.
      if (kind === 'ServerTCP')
        await until(() => client.stats().lateReplies === 1, 'the late reply has come');
    });

    it('L4: does not time a stream that has begun', async () => {
      const { client } = await setUp({ requestTimeout: 1_000 });
      expect(await lastValueFrom(client.send('ticks', 250).pipe(take(5), toArray()))).toEqual([
        1, 2, 3, 4, 5,
      ]);
      expect(client.stats().timeouts).toBe(0);
    });

    it('K2: on a dead connection is found out, and a new connection takes its place', async () => {
      const { client, relay } = await setUp({ requestTimeout: 100 });
      const patient = new GevRecordBuilder([1, 2]).setTimeout(600_000).build();
      expect(await firstValueFrom(client.send('sum', patient))).toBe(3); // so that the relay has the connection
      relay.stall();
      const waiting = new Subscriber(client.send('sum', patient));
      for (let call = 0; call < 2; call++) {
        const hasty = firstValueFrom(client.send('sum', [1]));
        await expect(hasty).rejects.toMatchObject({ code: 'ERR_GEV_TIMEOUT' });
      }
      await until(() => waiting.last !== undefined, 'the connection is given up');
      expect(waiting.last).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST', cause: { code: 'ETIMEDOUT' } });
      expect(await firstValueFrom(client.send('sum', patient))).toBe(3);
    });

    it('K3: slower than the deadline of each request, is not left out for it', async () => {
      const ports = [await serveRpc(kind), await serveRpc(kind)].map(({ port }) => port);
      const endpoints = ports.map((port) => ({ host: '127.0.0.1', port }));
      const client = clientOf({ loops, endpoints, ejection: { failures: 1 } });
      await client.connect();
      const hasty = new GevRecordBuilder({ ms: 200, value: 1 }).setTimeout(5).build();
      for (let round = 0; round < 5; round++) {
        const calls = Array.from({ length: 4 }, () => firstValueFrom(client.send('later', hasty)));
        for (const outcome of await Promise.allSettled(calls)) expect(outcome.status).toBe('rejected');
      }
      expect(client.stats().endpoints.map(({ ejected }) => ejected)).toEqual([false, false]);
      expect(client.stats().reconnects).toBe(0);
    });

    it('L4: because it has stopped, is asked no more: the other endpoint is', async () => {
      const { client, relay, second } = await setUpTwo({
        requestTimeout: 1_500,
        ejection: { failures: 3, duration: 60_000 },
      });
      relay.stall();
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () =>
          firstValueFrom(client.send('port', 1)).catch((error: any) => error.code),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'ERR_GEV_TIMEOUT')).toHaveLength(10);
      await until(() => client.stats().endpoints[0]!.ejected, 'a probe is not answered either');
      for (let round = 0; round < 10; round++) {
        const patient = new GevRecordBuilder(1).setTimeout(60_000).build();
        expect(await firstValueFrom(client.send('port', patient))).toBe(second.port);
      }
    });
  });

  describe('that closes', () => {
    it('flushes what was sent, fails what is in flight, and leaves no descriptor', async () => {
      await warmThreadPool();
      const { client, service } = await setUp();
      const pending = failure(firstValueFrom(client.send('never', 1)));
      await client.close();
      expect(await pending).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
      const before = descriptors();
      for (let round = 0; round < 10; round++) {
        expect(await firstValueFrom(client.send('sum', [round]))).toBe(round);
        client.emit({ topic: 'note' }, round);
        await client.close();
      }
      await until(() => service.events.length === 10, 'the events arrive');
      await until(() => descriptors() <= before, 'the descriptors are closed');
    });
  });
});

describe('a client without a server', () => {
  it.each([0, 1])(
    'fails to connect with the code of the system, and leaves nothing behind (%i)',
    async (loops) => {
      await warmThreadPool();
      const relay = await Relay.to(0);
      await relay.stop();
      const client = clientOf({ port: relay.port, loops });
      await failure(client.connect());
      const before = descriptors();
      for (let round = 0; round < 20; round++) {
        expect(await failure(client.connect())).toMatchObject({
          name: 'GevConnectError',
          code: 'ECONNREFUSED',
          address: '127.0.0.1',
          port: relay.port,
        });
      }
      await until(() => descriptors() <= before, 'the descriptors are closed');
      const missing = clientOf({ path: '/nonexistent/gev.sock', loops });
      expect(await failure(missing.connect())).toMatchObject({
        code: 'ENOENT',
        path: '/nonexistent/gev.sock',
      });
    },
  );
});
