import { describe, expect, it } from '@jest/globals';
import { type GevConnection, Reactor, raw, type ReactorHandler, type ReactorOptions } from 'nestjs-gev/core';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { random } from '../kit/random.js';
import { until } from '../kit/until.js';

const OPTIONS: ReactorOptions = {
  ...{ host: '127.0.0.1', port: 0, codec: raw(), closeTimeout: 200, halfCloseTimeout: 200 },
  ...{ highWaterMark: 4096, lowWaterMark: 1024, maxSendBuffer: 2 ** 20 },
};
const PEERS = 8;

/** Events of one connection, in the order of the contract: open, messages, end, close. */
class History {
  readonly events: string[] = [];
  failure: string | undefined;

  add(event: string): void {
    if (this.events.at(-1) === 'close') this.failure ??= `${event} after close`;
    if (event === 'open' && this.events.length > 0) this.failure ??= 'open twice';
    this.events.push(event);
  }
}

/** One reactor, whose every callback calls, at random, whatever may be called. */
async function run(seed: number, loops: number): Promise<void> {
  const below = random(seed);
  const histories = new Map<GevConnection, History>();
  const failures: string[] = [];
  let sends = 0;
  let settlements = 0;
  let stopping: Promise<void> | undefined;
  let over = false;
  let budget = 200;

  const history = (conn: GevConnection): History => {
    let known = histories.get(conn);
    if (known === undefined) histories.set(conn, (known = new History()));
    return known;
  };
  // A callback of send() answers a call, and a call may come after the end.
  const act = (answers = false): void => {
    if (over && !answers) failures.push('a callback after the end');
    if (budget-- <= 0) return;
    const all = [...histories.keys()];
    const conn = all[below(all.length)];
    switch (below(stopping === undefined ? 24 : 12)) {
      case 0:
        conn?.close();
        break;
      case 1:
        conn?.destroy();
        break;
      case 2:
      case 3:
      case 4: {
        sends++;
        let told = 0;
        conn?.send(Buffer.alloc(below(8192)), () => {
          settlements++;
          if (++told > 1) failures.push('a callback twice');
          act(true);
        });
        if (conn === undefined) settlements++;
        break;
      }
      case 5:
        reactor.broadcast('x', () => {
          if (below(4) === 0) act();
          return below(2) === 0;
        });
        break;
      case 6:
        conn?.trySend('y');
        break;
      case 7:
        conn?.shutdownWrite();
        break;
      case 8:
        if (below(2) === 0) throw new Error('a callback fails');
        break;
      case 12:
        if (below(12) === 0) {
          stopping = reactor.stop().then(() => void (over = true));
        }
        break;
    }
  };
  const noting =
    (event: string) =>
    (conn: GevConnection): void => {
      history(conn).add(event);
      act();
    };
  const handler: ReactorHandler = {
    onOpen(conn) {
      conn.messages$.subscribe(() => act());
      conn.drain$.subscribe(() => act());
      conn.closed$.subscribe({ next: () => act(), complete: () => act() });
      noting('open')(conn);
    },
    onMessage: noting('message'),
    onText() {},
    onEnd(conn) {
      history(conn).add('end');
      reactor.finish(conn);
    },
    onClose: noting('close'),
    onError() {},
  };
  const reactor = new Reactor({ ...OPTIONS, loops }, handler);
  onCleanup(() => reactor.stop());
  const { port } = (await reactor.listen()) as { port: number };
  const timer = reactor.runEvery(1, () => act());
  const peers = await Promise.all(
    Array.from({ length: PEERS }, () => Peer.connect(port).catch(() => undefined)),
  );
  for (const peer of peers) {
    peer?.read();
    for (let index = 0; index < 5; index++) peer?.write('message');
  }
  await until(() => budget <= 0 || stopping !== undefined, 'the program has run');
  await (stopping ??= reactor.stop().then(() => void (over = true)));
  await until(() => settlements === sends, `${sends} callbacks of send()`);
  expect(timer.active).toBe(false);
  expect(failures).toEqual([]);
  for (const { events, failure } of histories.values()) {
    expect(failure).toBeUndefined();
    expect([events[0], events.at(-1)]).toEqual(['open', 'close']);
    expect(events.filter((event) => event === 'close')).toHaveLength(1);
  }
  expect(reactor.connections.size).toBe(0);
}

describe.each([0, 2])('calls from within callbacks, on %i loops', (loops) => {
  it('U2: whatever callbacks call, each connection opens and closes once, each callback is called once, and the end is the end', async () => {
    const first = Number(process.env.SEED ?? 1);
    for (let seed = first; seed < first + 15; seed++) {
      try {
        await run(seed, loops);
      } catch (error) {
        throw new Error(`With SEED=${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});
