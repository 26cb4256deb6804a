import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GevContext } from 'nestjs-gev';
import type { Socket } from 'node:net';
import {
  concat,
  EMPTY,
  finalize,
  interval,
  map,
  NEVER,
  of,
  take,
  throwError,
  timer,
  type Observable,
} from 'rxjs';
import { nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, until } from '../kit/until.js';

let log: string[] = [];
/** Lets the 'held' handlers go on. */
let release: (() => void)[] = [];

/** Says when an Observable is let go of. */
const watched = <T>(source: Observable<T>): Observable<T> =>
  source.pipe(finalize(() => log.push('finalized')));

@Controller()
class Streams {
  @MessagePattern('count')
  count(@Payload() to: number): Observable<number> {
    return interval(1).pipe(take(to));
  }

  @MessagePattern('list')
  list(@Payload() values: unknown[]): Observable<unknown> {
    return of(...values);
  }

  @MessagePattern('empty')
  empty(@Payload() data: number): Observable<number> {
    return EMPTY.pipe(map(() => data));
  }

  @MessagePattern('ticks')
  ticks(@Payload() every: number, @Ctx() context: GevContext): Observable<number> {
    context.signal.addEventListener('abort', () => log.push('aborted'));
    return watched(timer(0, every));
  }

  @MessagePattern('late ticks')
  lateTicks(@Payload() after: number): Observable<number> {
    return watched(timer(after, 5));
  }

  @MessagePattern('one then silence')
  oneThenSilence(@Payload() data: unknown): Observable<unknown> {
    return watched(concat(of(data), NEVER));
  }

  @MessagePattern('fails')
  fails(@Payload() after: number): Observable<number> {
    return concat(
      interval(1).pipe(take(after)),
      throwError(() => new RpcException('mid-stream')),
    );
  }

  @MessagePattern('held')
  async held(@Payload() data: string, @Ctx() { signal }: GevContext): Promise<string> {
    log.push(`${data} begins`);
    signal.addEventListener('abort', () => log.push(`${data} aborted`));
    await new Promise<void>((resolve) => release.push(resolve));
    log.push(`${data} ends`);
    return data;
  }

  @MessagePattern('waits')
  async waits(@Payload() ms: number): Promise<string> {
    await pause(ms);
    return 'waited';
  }

  @MessagePattern('later')
  later(@Payload() ms: number): Observable<number> {
    return timer(ms, 1).pipe(
      take(3),
      map((tick) => tick + 1),
    );
  }
}

describe.each([0, 2])('streams of RPC on %i loops', (loops) => {
  const start = async (options = {}) => {
    [log, release] = [[], []];
    const service = await serveRpc({ loops, ...options }, Streams);
    return { service, peer: await RpcPeer.connect(service.port, { allowHalfOpen: true }) };
  };
  const responses = (peer: RpcPeer, id: unknown): unknown[] =>
    peer.of(id).map(({ response }) => response as unknown);

  it('P2: every value comes, in order, and the end with the last value where both are of one tick', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'list', data: ['a', 'b', 'c'], id: 1 }, { pattern: 'empty', data: 0, id: 2 });
    peer.send({ pattern: 'count', data: 3, id: 3 });
    await peer.all(3);
    expect(peer.of(1)).toEqual([
      { response: 'a', id: 1 },
      { response: 'b', id: 1 },
      { response: 'c', isDisposed: true, id: 1 },
    ]);
    expect(peer.of(2)).toEqual([{ isDisposed: true, id: 2 }]);
    expect(peer.of(3)).toEqual([
      { response: 0, id: 3 },
      { response: 1, id: 3 },
      { response: 2, isDisposed: true, id: 3 },
    ]);
  });

  it('C6: an error mid-stream comes after the values before it, and ends that stream only', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'fails', data: 2, id: 1 }, { pattern: 'count', data: 10, id: 2 });
    await peer.all(2);
    const err = { status: 'error', message: 'mid-stream' };
    expect(peer.of(1)).toEqual([
      { response: 0, id: 1 },
      { response: 1, id: 1 },
      { err, isDisposed: true, id: 1 },
    ]);
    expect(peer.of(2)).toHaveLength(10);
  });

  it.each(['destroy', 'reset'] as const)(
    'C9: unsubscribed and aborted when the client is gone (%s)',
    async (how) => {
      const { peer, service } = await start();
      peer.send({ pattern: 'ticks', data: 2, id: 1 }, { pattern: 'ticks', data: 2, id: 2 });
      await until(() => peer.packets.length > 4);
      if (how === 'reset') peer.peer.reset();
      else peer.peer.socket.destroy();
      await until(() => log.length === 4, 'both streams end');
      expect(log.sort()).toEqual(['aborted', 'aborted', 'finalized', 'finalized']);
      expect(service.server.stats().handlers.pending).toBe(0);
    },
  );

  it('C9: a promise handler hears of it through its signal, and counts until it is done', async () => {
    const { peer, service } = await start();
    peer.send({ pattern: 'held', data: 'a', id: 1 });
    await until(() => log.length === 1);
    peer.peer.reset();
    await until(() => log.includes('a aborted'));
    expect(service.server.stats().handlers.pending).toBe(1);
    release[0]!();
    await until(() => service.server.stats().handlers.pending === 0);
    expect(log).toEqual(['a begins', 'a aborted', 'a ends']);
  });

  it('L3: gev:cancel ends a stream, and only that one', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'ticks', data: 2, id: 'a' }, { pattern: 'ticks', data: 2, id: 'b' });
    await until(() => peer.of('a').length > 1 && peer.of('b').length > 1);
    peer.send({ pattern: 'gev:cancel', data: 'a' });
    await until(() => log.length === 2, 'the stream ends');
    peer.send({ pattern: 'list', data: [1], id: 'c' });
    await peer.all('c');
    const count = peer.of('a').length;
    const other = peer.of('b').length;
    await until(() => peer.of('b').length > other + 3);
    expect(peer.of('a')).toHaveLength(count);
    expect(log).toEqual(['finalized', 'aborted']);
  });

  it('L3: gev:cancel aborts the signal of a promise handler; its reply is not sent', async () => {
    const { peer, service } = await start();
    peer.send({ pattern: 'held', data: 'a', id: 'a' });
    await until(() => log.length === 1);
    peer.send({ pattern: 'gev:cancel', data: 'a' });
    await until(() => log.includes('a aborted'));
    release[0]!();
    await until(() => service.server.stats().handlers.pending === 0);
    expect(log).toEqual(['a begins', 'a aborted', 'a ends']);
    await peer.send({ pattern: 'list', data: [1], id: 'b' }).all('b');
    expect(peer.of('a')).toEqual([]);
  });

  it('C6: a cancelled handler keeps its place among those at work until it is done', async () => {
    const { peer, service } = await start({ concurrency: 1 });
    peer.send({ pattern: 'held', data: 'a', id: 'a' });
    await until(() => log.length === 1);
    peer.send({ pattern: 'gev:cancel', data: 'a' }, { pattern: 'held', data: 'b', id: 'b' });
    await until(() => service.server.stats().handlers.pending === 2);
    expect(log).toEqual(['a begins', 'a aborted']);
    release[0]!();
    await until(() => release.length === 2);
    release[1]!();
    await peer.all('b');
    expect(log).toEqual(['a begins', 'a aborted', 'a ends', 'b begins', 'b ends']);
  });

  it('L3: cancelling twice, what is over, what never was, or nothing is harmless', async () => {
    const { peer, service } = await start();
    await peer.send({ pattern: 'list', data: [1], id: 'a' }).all('a');
    for (const data of ['a', 'a', 'none', null, undefined, 1, {}, ['a'], '__proto__']) {
      peer.send({ pattern: 'gev:cancel', data });
    }
    peer.send({ pattern: 'list', data: [2], id: 'b' });
    await peer.all('b');
    expect(responses(peer, 'a')).toEqual([1]);
    expect(service.lines).toEqual([]);
  });

  it('L3: gev:hello tells what the server understands', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'gev:hello', data: { cancel: 1 }, id: 'hello' });
    expect(await peer.all('hello')).toEqual([{ response: { cancel: 1 }, isDisposed: true, id: 'hello' }]);
  });

  it('C10: replies that come after a half-close are written: promise, stream', async () => {
    const { peer } = await start();
    peer.send({ pattern: 'waits', data: 50, id: 1 }, { pattern: 'later', data: 50, id: 2 });
    peer.peer.socket.end();
    await until(() => peer.peer.closed);
    expect(peer.of(1)).toEqual([{ response: 'waited', isDisposed: true, id: 1 }]);
    expect(responses(peer, 2)).toEqual([1, 2, 3]);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('D5: a stream whose first value comes after a half-close goes on for a moment only', async () => {
    const { peer, service } = await start({ halfCloseTimeout: 600_000 });
    peer.send({ pattern: 'late ticks', data: 300, id: 1 });
    peer.peer.socket.end();
    await until(() => log.includes('finalized'), 'the stream ends', 10_000);
    await until(() => peer.peer.closed);
    expect(responses(peer, 1).length).toBeGreaterThan(0);
    expect(service.lines).toEqual([]);
  });

  it('C10: one that never comes holds the connection no longer than halfCloseTimeout', async () => {
    const { peer } = await start({ halfCloseTimeout: 100 });
    peer.send({ pattern: 'later', data: 100_000, id: 1 });
    peer.peer.socket.end();
    await until(() => peer.peer.closed);
  });

  it.each(['ticks', 'one then silence'])(
    "C9: Nest's client says FIN when it is closed: a stream it was receiving ends (%s)",
    async (pattern) => {
      const { service } = await start();
      const client = nestClient(service.port);
      const values: unknown[] = [];
      client.send(pattern, 5).subscribe({ next: (value) => values.push(value), error: () => undefined });
      await until(() => values.length > 0);
      const socket = client.unwrap<Socket>();
      client.close();
      await until(() => log.includes('finalized'), 'the stream ends');
      await until(() => socket.destroyed, "the client's socket is closed");
    },
  );
});
