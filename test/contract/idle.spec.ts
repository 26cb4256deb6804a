import { describe, expect, it } from '@jest/globals';
import { GevOptionsError } from 'nestjs-gev';
import { Peer } from '../kit/peer.js';
import { cpuShare, descriptors, threads } from '../kit/process-stats.js';
import { startServer } from '../kit/server-process.js';
import { serve } from '../kit/serve.js';
import { block, eventually, pause, settled, until } from '../kit/until.js';

const CONNECTIONS = 2000;

describe.each([0, 2])('idle connections on %i loops', (loops) => {
  async function closesAfter(idleTimeout: number, use: (peer: Peer) => unknown = () => undefined) {
    let closedAt = 0;
    const reasons: string[] = [];
    const service = await serve(
      { loops, idleTimeout },
      {
        close(reason) {
          closedAt = performance.now();
          reasons.push(reason);
        },
      },
    );
    const dialled = performance.now();
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    await use(peer);
    const last = performance.now();
    await until(() => reasons.length > 0, 'the close event');
    expect(reasons).toEqual(['idle']);
    expect(connection.closeReason).toBe('idle');
    return { sinceDial: closedAt - dialled, sinceUse: closedAt - last };
  }

  it.each([30, 200, 500])('I1: after %i ms of silence it closes, never early', async (idleTimeout) => {
    let earliest = Infinity;
    await eventually(5, async () => {
      const { sinceDial, sinceUse } = await closesAfter(idleTimeout);
      earliest = Math.min(earliest, sinceDial);
      expect(sinceUse).toBeLessThanOrEqual(idleTimeout + Math.max(10, idleTimeout * 0.05));
    });
    // A busy machine makes things late, nothing makes them early: this is for every attempt.
    expect(earliest).toBeGreaterThanOrEqual(idleTimeout);
  });

  it('I1: received bytes are activity', () =>
    eventually(3, async () => {
      const { sinceDial } = await closesAfter(300, async (peer) => {
        for (let number = 0; number < 8; number++) {
          await pause(100);
          peer.write('x');
        }
      });
      expect(sinceDial).toBeGreaterThanOrEqual(8 * 100 + 300 - 1);
    }));

  it('I1: sent bytes are activity: a client that is pushed to every 100 ms stays', () =>
    eventually(3, async () => {
      const reasons: string[] = [];
      const service = await serve(
        { loops, idleTimeout: 600 },
        { close: (reason) => void reasons.push(reason) },
      );
      const [pushed, silent] = [await Peer.connect(service.port), await Peer.connect(service.port)];
      const [connection, other] = [await service.connection(0), await service.connection(1)];
      pushed.read();
      silent.read();
      let lastPush = 0;
      const timer = service.server.runEvery(100, () => {
        lastPush = performance.now();
        connection.send('x');
      });
      await until(() => timer.runs >= 12);
      expect(connection.state).toBe('open');
      expect(other.closeReason).toBe('idle');
      timer.cancel();
      await until(() => reasons.length === 2);
      expect(performance.now() - lastPush).toBeGreaterThanOrEqual(600);
      expect(reasons).toEqual(['idle', 'idle']);
    }));

  it('D6: a handler slower than idleTimeout keeps its connection until its reply is out', async () => {
    const reasons: string[] = [];
    let reply: (text: string) => void = () => undefined;
    const service = await serve(
      { loops, idleTimeout: 100, drainTimeout: 50 },
      {
        message: () => new Promise<string>((resolve) => (reply = resolve)),
        close: (reason) => void reasons.push(reason),
      },
    );
    const peer = (await Peer.connect(service.port)).read();
    peer.write('slow');
    const connection = await service.connection();
    await settled(() => reasons.length, 500);
    expect(connection.state).toBe('open');
    const replied = performance.now();
    reply('done');
    expect(await peer.text(4)).toBe('done');
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['idle']);
    expect(performance.now() - replied).toBeGreaterThanOrEqual(99);
  });

  it("D6: with idleOn 'received' a peer that is pushed to and says nothing is idle", async () => {
    const reasons: string[] = [];
    const service = await serve(
      { loops, idleTimeout: 300, idleOn: 'received' },
      { close: (reason) => void reasons.push(reason) },
    );
    (await Peer.connect(service.port)).read();
    const connection = await service.connection();
    service.server.runEvery(20, () => connection.state === 'open' && connection.send('x'));
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['idle']);
  });

  it('D6: setIdleTimeout is for one connection', async () => {
    const reasons: string[] = [];
    const service = await serve({ loops }, { close: (reason) => void reasons.push(reason) });
    const [first, second] = [await Peer.connect(service.port), await Peer.connect(service.port)];
    first.read();
    second.read();
    const [one, other] = [await service.connection(0), await service.connection(1)];
    one.setIdleTimeout(200);
    await until(() => reasons.length === 1);
    expect([one.closeReason, other.state]).toEqual(['idle', 'open']);
    one.setIdleTimeout(5); // harmless now
    expect(() => other.setIdleTimeout(-1)).toThrow(GevOptionsError);
    other.setIdleTimeout(100);
    other.setIdleTimeout(0);
    await settled(() => reasons.length, 400);
    expect(other.state).toBe('open');
  });

  it('I2: 2,000 idle connections cost no timer each and no scan of all', async () => {
    let idleTimeout = 2_000;
    await eventually(3, async () => {
      idleTimeout *= 2; // long enough to connect all and to measure, however busy the machine is
      const { port, pid } = await startServer('echo', { loops, idleTimeout });
      const warm = (await Peer.connect(port)).read();
      warm.write('x');
      await warm.take(1);
      const before = { descriptors: descriptors(pid), threads: threads(pid) };
      const peers = await Peer.connectAll(CONNECTIONS, port);
      for (const peer of peers) peer.read();
      await settled(() => descriptors(pid), 100);
      // A descriptor each and nothing more: no timerfd, no thread.
      expect(descriptors(pid) - before.descriptors).toBeLessThanOrEqual(CONNECTIONS);
      expect(threads(pid)).toBe(before.threads);
      expect(await cpuShare(pid, 1_500)).toBeLessThan(0.05);
      expect(peers.some(({ closed }) => closed)).toBe(false);
      await until(() => peers.every(({ closed }) => closed), 'all are closed');
      expect(peers.every(({ events }) => events.join() === 'end,close')).toBe(true);
      expect(descriptors(pid)).toBeLessThanOrEqual(before.descriptors);
    });
  });

  it('I2: idle timeouts are no timers of Node', async () => {
    const timeouts = (): number =>
      process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
    const { port, connections } = await serve({ loops, idleTimeout: 60_000 });
    const before = timeouts();
    await Peer.connectAll(200, port);
    await until(() => connections.length === 200);
    expect(timeouts() - before).toBeLessThanOrEqual(1); // the one this test waits with
  });
});

it('I1: a blocked JavaScript thread makes nobody idle who has spoken in time', () =>
  eventually(3, async () => {
    const reasons: string[] = [];
    const service = await serve(
      { loops: 0, idleTimeout: 200 },
      { message: (data) => data, close: (reason) => void reasons.push(reason) },
    );
    const peer = (await Peer.connect(service.port)).read();
    for (let round = 0; round < 3; round++) {
      peer.write('ping'); // in the kernel's hands when this returns
      block(300);
      expect(await peer.text(4)).toBe('ping');
    }
    await until(() => reasons.length > 0);
    expect(reasons).toEqual(['idle']); // after the last round, and not before
  }));
