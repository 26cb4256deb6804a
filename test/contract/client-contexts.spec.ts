import { describe, expect, it } from '@jest/globals';
import { type GevClient, type GevClientOptions, GevRecordBuilder, nestJson } from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer, type AddressInfo } from 'node:net';
import { finalize, map, timer, type Observable, take } from 'rxjs';
import { clientOf } from '../kit/rpc-client.js';
import { serve, type Service } from '../kit/serve.js';
import { until } from '../kit/until.js';

/** Who makes a request. Whatever the client does for it is done for that one. */
const user = new AsyncLocalStorage<string>();

/** What happened, as whom. */
class Log {
  readonly entries: [what: string, as: string | undefined][] = [];

  note<Value>(what: string, value?: Value): Value {
    this.entries.push([what, user.getStore()]);
    return value as Value;
  }

  of(what: string): (string | undefined)[] {
    return this.entries.filter(([name]) => name === what).map(([, as]) => as);
  }

  /** What was done as somebody else than its name says. */
  get strange(): unknown[] {
    return this.entries.filter(([what, as]) => as?.replace('the end of ', '') !== what.split(' ')[1]);
  }
}

/** Subscribes as somebody, and notes what each callback is called as. */
function subscribeAs(name: string, log: Log, source: () => Observable<unknown>): { done: boolean } {
  const state = { done: false };
  const end = (what: string): void => {
    log.note(`${what} ${name}`);
    user.enterWith(`the end of ${name}`); // nobody else's business
    state.done = true;
  };
  user.run(name, () =>
    source()
      .pipe(
        map((value) => log.note(`map ${name}`, value)),
        finalize(() => log.note(`finalize ${name}`)),
      )
      .subscribe({
        next: () => {
          log.note(`next ${name}`);
          user.enterWith(name);
        },
        error: () => end('error'),
        complete: () => end('complete'),
      }),
  );
  return state;
}

/** A client whose every part notes as whom it is asked. The names are the data of the requests. */
function client(log: Log, options: GevClientOptions, late = false): GevClient {
  const soon = async <Value>(value: Value): Promise<Value> => {
    await new Promise((resolve) => setImmediate(resolve));
    return value;
  };
  const made = clientOf({
    serializer: {
      serialize: (packet: any) => {
        // What gives up a request is about its connection, and nobody's.
        if (!String(packet.pattern).startsWith('gev:')) log.note(`serialize ${packet.data}`);
        else log.note(`cancel`);
        return late ? soon(packet) : packet;
      },
    },
    deserializer: {
      deserialize: (packet: any) => {
        user.enterWith('the deserializer'); // of its own frame only
        return late ? soon(packet) : packet;
      },
    },
    ...options,
  });
  made.setOnDispatchHook((packet) => {
    log.note(`dispatch ${packet.data}`);
    (packet as { metadata?: unknown }).metadata = { user: user.getStore() };
  });
  // Listeners are called as whoever added them.
  const maker = user.getStore();
  for (const event of ['connect', 'disconnect', 'reconnecting', 'error'] as const)
    made.on(event, () => log.note([event, maker].join(' ').trim()));
  made.status.subscribe(() => log.note(['status', maker].join(' ').trim()));
  return made;
}

interface Answering extends Service {
  /** Whom the metadata said, by data. */
  readonly told: Map<string, unknown>;
}

async function answering(): Promise<Answering> {
  const told = new Map<string, unknown>();
  const service = await serve({ codec: nestJson(), drainTimeout: 50 }, {});
  const hear = (data: string, context: any): void => {
    told.set(data, context.getMetadata()?.user);
  };
  service.server.addHandler('echo', async (data: string, context: any) => {
    hear(data, context);
    return data;
  });
  service.server.addHandler('three', async (data: string, context: any) => {
    hear(data, context);
    return timer(1, 1).pipe(
      take(3),
      map(() => data),
    );
  });
  service.server.addHandler('never', () => new Promise(() => undefined));
  service.server.addHandler('note', async (data: string, context: any) => hear(data, context), true);
  return Object.assign(service, { told });
}

/** A port that nobody listens on, until somebody does. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const names = ['A', 'B', 'C', 'D', 'E'];

describe.each([0, 2])('whose context it is in a client on %i loops', (loops) => {
  it.each([false, true])(
    'X2: requests made while connecting, and after, are their subscribers’ (late: %s)',
    async (late) => {
      const { port, told } = await answering();
      const log = new Log();
      const made = user.run('maker', () => client(log, { port, loops }, late));
      for (const round of ['connecting', 'connected']) {
        const all = names.flatMap((name) => [
          subscribeAs(`${name}-${round}`, log, () => made.send('echo', `${name}-${round}`)),
          subscribeAs(`${name}-${round}-3`, log, () => made.send('three', `${name}-${round}-3`)),
        ]);
        await until(() => all.every(({ done }) => done), 'all are answered');
      }
      expect(log.strange).toEqual([]);
      for (const what of ['serialize', 'dispatch', 'map', 'next', 'complete'])
        expect(log.of(`${what} A-connecting-3`)).toContain('A-connecting-3');
      for (const [data, as] of told) expect(as).toBe(data);
      expect(told.size).toBe(20);
    },
  );

  it('X2: so are requests that wait while it connects again', async () => {
    const port = await freePort();
    const log = new Log();
    const made = client(log, {
      port,
      loops,
      reconnect: { initialDelay: 5, maxDelay: 20 },
      offlineQueue: 100,
    });
    const first = names.map((name) => subscribeAs(name, log, () => made.send('echo', name)));
    await until(() => made.stats().queued === names.length, 'they wait');
    const service = await serve({ codec: nestJson(), port, host: '127.0.0.1' }, {});
    service.server.addHandler('echo', async (data: string) => data);
    await until(() => first.every(({ done }) => done), 'the first are answered');
    await service.close();
    await until(() => log.of('disconnect').length > 0, 'the connection is lost');
    const second = names.map((name) => subscribeAs(`${name}2`, log, () => made.send('echo', `${name}2`)));
    const again = await serve({ codec: nestJson(), port, host: '127.0.0.1' }, {});
    again.server.addHandler('echo', async (data: string) => data);
    await until(() => second.every(({ done }) => done), 'the second are answered');
    expect(log.strange).toEqual([]);
    expect(log.of('complete A2')).toEqual(['A2']);
    // What happens to connections is nobody's.
    expect(log.entries).toEqual(
      expect.arrayContaining([
        ['connect', undefined],
        ['disconnect', undefined],
      ]),
    );
  });

  it('X2: deadlines, aborts, lost connections and close() end each request in its own', async () => {
    const service = await answering();
    const log = new Log();
    const made = client(log, { port: service.port, loops, reconnect: false });
    const aborts = names.map(() => new AbortController());
    const late = names.map((name) =>
      subscribeAs(`${name}-late`, log, () =>
        made.send('never', new GevRecordBuilder(`${name}-late`).setTimeout(20).build()),
      ),
    );
    const aborted = names.map((name, index) =>
      subscribeAs(`${name}-aborted`, log, () =>
        made.send('never', new GevRecordBuilder(`${name}-aborted`).setSignal(aborts[index]!.signal).build()),
      ),
    );
    await until(() => late.every(({ done }) => done), 'time is up');
    user.run('whoever aborts', () => aborts.forEach((abort) => abort.abort()));
    await until(() => aborted.every(({ done }) => done), 'they are aborted');

    const lost = names.map((name) =>
      subscribeAs(`${name}-lost`, log, () => made.send('never', `${name}-lost`)),
    );
    await until(() => service.connections.length === 1);
    user.run('whoever destroys', () => service.connections[0]!.destroy());
    await until(() => lost.every(({ done }) => done), 'they are lost');

    const closed = names.map((name) =>
      subscribeAs(`${name}-closed`, log, () => made.send('never', `${name}-closed`)),
    );
    await user.run('whoever closes', () => made.close());
    await until(() => closed.every(({ done }) => done), 'they are told of the end');
    expect(log.strange).toEqual([]);
    for (const kind of ['late', 'aborted', 'lost', 'closed'])
      expect(log.of(`error A-${kind}`)).toEqual([`A-${kind}`]);
  });

  it('X2: requests that cannot be made fail as who made them', async () => {
    const log = new Log();
    const made = client(log, { port: await freePort(), loops });
    const all = names.map((name) => subscribeAs(name, log, () => made.send('echo', name)));
    await until(() => all.every(({ done }) => done), 'all fail');
    expect(log.strange).toEqual([]);
  });

  it.each([false, true])('X2: events are of those who emit them (late: %s)', async (late) => {
    const { port, told } = await answering();
    const log = new Log();
    const made = client(log, { port, loops }, late);
    for (const round of ['connecting', 'connected']) {
      const all = names.map((name) =>
        subscribeAs(`${name}-${round}`, log, () => made.emit('note', `${name}-${round}`)),
      );
      await until(() => all.every(({ done }) => done), 'all are sent');
    }
    await until(() => told.size === 2 * names.length, 'all arrive');
    expect(log.strange).toEqual([]);
    for (const what of ['serialize', 'dispatch', 'map', 'next', 'complete'])
      expect(log.of(`${what} A-connecting`)).toEqual(['A-connecting']);
    for (const [data, as] of told) expect(as).toBe(data);
  });
});
