import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { Conn, type GevConnection, GevProtocolError, OnMessage } from 'nestjs-gev';
import { Reactor, type ReactorHandler } from 'nestjs-gev/core';
import { lastValueFrom, of, toArray } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { clientOf } from '../kit/rpc-client.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';
import { bytesOf, codecOf, readCases, type WireCodec, type WireGroup } from '../wire/cases.js';
import { hasPython, type Job, type Run, startPeer, startService } from '../wire/peer.js';

/** Where a machine has no Python, others and CI play the cases. */
const ifPython = hasPython || process.env.CI !== undefined ? it : it.skip;

const seed = Number(process.env.GEV_WIRE_SEED ?? Date.now() % 1_000_000);

/** What handlers of one connection were given. */
interface Seen {
  readonly frames: unknown[];
  readonly packets: [string, unknown][];
  release?: () => void;
}

class Journal {
  private readonly all = new Map<GevConnection, Seen>();

  of(connection: GevConnection): Seen {
    let seen = this.all.get(connection);
    if (seen === undefined) this.all.set(connection, (seen = { frames: [], packets: [] }));
    return seen;
  }
}

/** The service that test/wire/services.py describes: `late` is answered when `release` has been. */
function serviceOf(codec: string, journal: Journal) {
  @Controller()
  class Service {
    @MessagePattern('add')
    add(@Payload() data: unknown[], @Conn() connection: GevConnection): number {
      journal.of(connection).packets.push(['add', data]);
      return data.map(Number).reduce((sum, value) => sum + value, 0);
    }

    @MessagePattern('echo')
    echo(@Payload() data: unknown, @Conn() connection: GevConnection): unknown {
      journal.of(connection).packets.push(['echo', data]);
      return data;
    }

    @MessagePattern('stream')
    stream(@Payload() data: unknown, @Conn() connection: GevConnection) {
      journal.of(connection).packets.push(['stream', data]);
      return of(1, 2);
    }

    @MessagePattern('late')
    late(@Payload() data: unknown, @Conn() connection: GevConnection): Promise<string> {
      const seen = journal.of(connection);
      seen.packets.push(['late', data]);
      return new Promise((resolve) => (seen.release = () => resolve('late')));
    }

    @MessagePattern('release')
    release(@Payload() data: unknown, @Conn() connection: GevConnection): string {
      const seen = journal.of(connection);
      seen.packets.push(['release', data]);
      setImmediate(() => seen.release!());
      return 'released';
    }

    @MessagePattern('fail')
    fail(@Payload() data: unknown, @Conn() connection: GevConnection): never {
      journal.of(connection).packets.push(['fail', data]);
      throw new RpcException('not today');
    }

    @EventPattern<string>('position')
    position(@Payload() data: unknown, @Conn() connection: GevConnection): void {
      journal.of(connection).packets.push(['position', data]);
    }

    @OnMessage()
    frame(@Payload() frame: unknown, @Conn() connection: GevConnection): unknown {
      journal.of(connection).frames.push(frame);
      return speaksNest(codec) ? undefined : frame; // there it would not be sent
    }
  }
  return Service;
}

/** Waits for the end of a connection, and compares what it was and what it brought with the case. */
async function expectPlayed(job: Job, run: Run, connection: GevConnection, seen: Seen): Promise<void> {
  const { codec, case: played } = job;
  await until(() => connection.state === 'closed', 'the connection is closed');
  expect(connection.closeReason).toBe(run.ends);
  expect(connection.closeError).toEqual(run.ends === 'peer' ? undefined : expect.any(GevProtocolError));
  const frames = played.frames.map((frame) => (isText(codec) ? bytesOf(frame).toString() : bytesOf(frame)));
  if (codec.codec === 'raw') {
    expect(Buffer.concat(seen.frames as Buffer[])).toEqual(Buffer.concat(frames as Buffer[]));
  } else {
    // Without the byte that breaks the format, the frame that it would have ended does not come.
    // One that is no packet ends the connection: whoever watches all of them may have seen it by then.
    const messages = speaksNest(codec.codec) ? seen.frames.slice(0, frames.length) : seen.frames;
    const cutShort = run.ends !== (played.ends ?? 'peer');
    expect(messages).toEqual(cutShort ? frames.slice(0, messages.length) : frames);
  }
  const packets = (played.packets ?? []).map(([pattern, data]) => [pattern, dataOf(data)]);
  expect(seen.packets).toEqual(packets);
}

/** As handlers get it, of what a case has. */
function dataOf(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data ?? null), (_, value: { readonly $bytes?: string } | null) =>
    typeof value?.$bytes === 'string' ? bytesOf(value.$bytes) : value,
  );
}

/** Whether frames are Nest's packets. */
function speaksNest(codec: string): boolean {
  return codec === 'nest-json' || codec === 'msgpack';
}

function isText({ codec, options = {} }: WireCodec): boolean {
  if (codec === 'packets') return options.over.codec === 'line';
  return codec === 'line' ? options.encoding !== null : typeof options.encoding === 'string';
}

/** Names what was played, where it did not go as the case has it. */
async function check(file: string, job: Job, { run, error }: Run, look: () => Promise<void>): Promise<void> {
  const { codec, case: played } = job;
  const codecText = `${codec.codec}(${JSON.stringify(codec.options ?? {})})`;
  const where = `${file}: ${codecText}: ${played.name}: run ${run} (GEV_WIRE_SEED=${seed})`;
  if (error !== null) throw new Error(`${where}: ${error}`);
  try {
    await look();
  } catch (cause) {
    throw new Error(`${where}\n${(cause as Error).message}`, { cause });
  }
}

describe.each([0, 2])('wire cases, on %i loops', (loops) => {
  ifPython.each(readCases())('P1 R1 R2 R3 R4 C10: a client in Python plays %s', async (file, groups) => {
    const jobs: Job[] = [];
    const services: { readonly journal: Journal; readonly connections: readonly GevConnection[] }[] = [];
    for (const group of groups) {
      const journal = new Journal();
      const { port, connections } = await serve(
        { loops, codec: codecOf(group), ...group.server },
        { controllers: [serviceOf(group.codec, journal)] },
      );
      for (const played of group.cases) {
        jobs.push({ codec: group, case: played, port });
        services.push({ journal, connections });
      }
    }
    const peer = await startPeer(seed, jobs);
    const runs = await peer.results();
    for (const run of runs) {
      const { journal, connections } = services[run.job]!;
      await check(file, jobs[run.job]!, run, async () => {
        const connection = connections.find(({ remotePort }) => remotePort === run.port)!;
        await expectPlayed(jobs[run.job]!, run, connection, journal.of(connection));
      });
    }
    expect(runs).toHaveLength(peer.runs.reduce((sum, count) => sum + count, 0));
  });

  const framings = readCases().filter(
    ([file, [group]]) => !speaksNest(group!.codec) && file !== 'packets.json',
  );
  ifPython.each(framings)(
    'P1 R1 R3 R4 C10: a Reactor that dials a server in Python plays %s',
    async (file, groups) => {
      const jobs: Job[] = [];
      const reactors: { readonly journal: Journal; readonly reactor: Reactor }[] = [];
      for (const group of groups) {
        const journal = new Journal();
        const reactor = await startReactor(loops, group, journal);
        for (const played of group.cases) {
          jobs.push({ codec: group, case: played });
          reactors.push({ journal, reactor });
        }
      }
      const peer = await startPeer(seed, jobs);
      const dialled = jobs.map(async (_, index) => {
        const connections: GevConnection[] = [];
        for (let run = 0; run < peer.runs[index]!; run++) {
          const { reactor } = reactors[index]!;
          connections.push(await reactor.dial({ host: '127.0.0.1', port: peer.ports[index]! }, 0));
          await until(() => connections[run]!.state === 'closed', 'the connection is closed', 60_000);
        }
        return connections;
      });
      const runs = await peer.results();
      for (const run of runs) {
        await check(file, jobs[run.job]!, run, async () => {
          const connection = (await dialled[run.job]!)[run.run!]!;
          await expectPlayed(jobs[run.job]!, run, connection, reactors[run.job]!.journal.of(connection));
        });
      }
      expect(runs).toHaveLength(peer.runs.reduce((sum, count) => sum + count, 0));
      await Promise.all(dialled);
    },
  );

  ifPython.each<[string, unknown]>([
    ['nest-json', 'zö漢😀'],
    ['msgpack', Buffer.from([0, 255, 10, 35])],
  ])('P1 R1: a GevClient calls a service in Python: %s', async (codec, data) => {
    const service = await startService({ codec });
    const client = clientOf({ host: '127.0.0.1', port: service.port, loops, codec: codecOf({ codec }) });
    const ask = (pattern: string, data: unknown): Promise<unknown[]> =>
      lastValueFrom(client.send<unknown>(pattern, data).pipe(toArray()));
    expect(await ask('add', [1, 2, 3])).toEqual([6]);
    expect(await ask('echo', data)).toEqual([data]);
    expect(await ask('stream', 0)).toEqual([1, 2]);
    await expect(ask('fail', 0)).rejects.toEqual({ status: 'error', message: 'not today' });
    await expect(ask('dance', 0)).rejects.toEqual(expect.stringContaining('no matching message handler'));
    const late = ask('late', 0);
    expect(await Promise.all([ask('echo', 'x'), ask('release', 0), late])).toEqual([
      ['x'],
      ['released'],
      ['late'],
    ]);
    await lastValueFrom(client.emit('position', [7, 8]), { defaultValue: undefined });
    await client.close();
    const received = dataOf(await service.received());
    expect(received).toContainEqual({ pattern: 'position', data: [7, 8] });
    expect(received).toContainEqual({ pattern: 'echo', data, id: expect.any(String) });
  });
});

/** A reactor that sends back what comes. */
async function startReactor(loops: number, group: WireGroup, journal: Journal): Promise<Reactor> {
  const nothing = (): void => undefined;
  const echo = (connection: GevConnection, frame: Buffer | string): void => {
    journal.of(connection).frames.push(frame);
    connection.send(frame);
  };
  const handler: ReactorHandler = {
    ...{ onOpen: nothing, onClose: nothing, onError: nothing },
    ...{ onMessage: echo, onText: echo },
    onEnd: (connection) => reactor.finish(connection),
  };
  const reactor = new Reactor(
    { loops, codec: codecOf(group), closeTimeout: 60_000, ...group.server },
    handler,
  );
  onCleanup(() => reactor.stop());
  await reactor.start();
  return reactor;
}
