import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { Child } from '../kit/child.js';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { cpuTime } from '../kit/process-stats.js';
import { serve } from '../kit/serve.js';
import { eventually, pause, until } from '../kit/until.js';

async function ping(peer: Peer): Promise<void> {
  peer.write('ping');
  expect(await peer.text(4)).toBe('ping');
}

describe.each([0, 2])('admission on %i loops', (loops) => {
  it('S7: a connection over maxConnections is closed at accept, counted, and reaches no handler', async () => {
    const events: string[] = [];
    const { server, port } = await serve(
      { loops, maxConnections: 3 },
      {
        connect: ({ id }) => void events.push(`connect ${id}`),
        message: (data) => data,
        close: (reason, { id }) => void events.push(`close ${id} ${reason}`),
      },
    );
    const peers = await Peer.connectAll(3, port);
    for (const peer of peers) await ping(peer.read());
    expect(events).toHaveLength(3);
    for (let number = 1; number <= 5; number++) {
      const extra = (await Peer.connect(port)).read();
      extra.write('let me in');
      await until(() => extra.closed);
      expect(extra.length).toBe(0);
      expect(server.stats()).toMatchObject({ accepted: 3, refused: number, open: 3 });
      expect(server.stats().refusals.maxConnections).toBe(number);
    }
    for (const peer of peers) await ping(peer);
    expect(events).toHaveLength(3);
  });

  it('S7: a slot that was freed is usable at once', async () => {
    let closed = 0;
    const { server, port } = await serve(
      { loops, maxConnections: 2 },
      { message: (data) => data, close: () => void closed++ },
    );
    const stays = (await Peer.connect(port)).read();
    await ping(stays);
    for (let round = 1; round <= 50; round++) {
      const peer = (await Peer.connect(port)).read();
      await ping(peer);
      if (round % 2 === 0) peer.reset();
      else peer.socket.end();
      await until(() => closed === round);
    }
    expect(server.stats()).toMatchObject({ accepted: 51, refused: 0, open: 1 });
    await ping(stays);
  });
});

/** Dials, and again when turned away, until it is served. */
class Applicant {
  served = false;
  private stopped = false;

  constructor(private readonly port: number) {
    onCleanup(() => (this.stopped = true));
    void this.run();
  }

  private async run(): Promise<void> {
    while (!this.stopped && !this.served) {
      try {
        const peer = (await Peer.connect(this.port)).read();
        peer.write('x');
        await until(() => peer.length > 0 || peer.closed);
        this.served = peer.length > 0;
      } catch {
        // turned away by a reset while it dialled
      }
      await pause(100);
    }
  }
}

describe.each([0, 2])('out of descriptors on %i loops', (loops) => {
  it('S9: those connected are served, nothing spins, the log stays short, and it recovers', async () => {
    const child = Child.scenario('counted', { loops });
    const { port } = await child.report('port');
    const started = performance.now();
    execFileSync('prlimit', ['--pid', `${child.pid}`, '--nofile=50:50']);
    const peers = await Peer.connectAll(80, port);
    for (const peer of peers) peer.read().write('x');
    await until(() => peers.every((peer) => peer.length > 0 || peer.closed), 'served or turned away');
    const served = peers.filter((peer) => !peer.closed);
    for (const peer of served) await peer.take(1);
    expect(served.length).toBeGreaterThan(10);
    expect(served.length).toBeLessThan(50);
    const applicants = Array.from({ length: 5 }, () => new Applicant(port));

    await eventually(3, async () => {
      const before = cpuTime(child.pid);
      for (let round = 0; round < 20; round++) {
        await pause(100);
        for (const peer of served.slice(0, 2)) await ping(peer);
      }
      expect(cpuTime(child.pid) - before).toBeLessThanOrEqual(0.1 * 2); // in 2 s
    });
    expect(applicants.some((each) => each.served)).toBe(false);
    const warnings = [...child.lines, ...child.errors].filter((line) => line.includes('EMFILE'));
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThanOrEqual(
      Math.max(loops, 1) * (1 + (performance.now() - started) / 1_000),
    );

    for (const peer of served.slice(2, 12)) peer.socket.end();
    await until(() => applicants.every((each) => each.served), 'applicants are served', 5_000);
    for (const peer of served.slice(0, 2)) await ping(peer);
    child.say('stats');
    const { stats } = await child.report('stats');
    expect(stats.refused).toBeGreaterThanOrEqual(80 - served.length);
  });
});
