import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import type { GevContext, GevServer } from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import { defer, finalize, map, of, tap, throwError, timer, type Observable } from 'rxjs';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, settled, until } from '../kit/until.js';

const trace = new AsyncLocalStorage<string>();
let log: string[] = [];
/** What happened, and in which trace. */
const say = (what: string): void => void log.push(`${trace.getStore() ?? '-'} ${what}`);

@Injectable()
class Saying implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    say('before');
    return next.handle().pipe(
      tap(() => say('value')),
      finalize(() => say('finalized')),
    );
  }
}

@Controller()
class Traced {
  @MessagePattern('plain')
  plain(@Payload() data: number): number {
    say('handler');
    return data + 1;
  }

  @MessagePattern('promise')
  async promise(@Payload() data: number): Promise<number> {
    say('handler');
    await pause(2);
    say('handler later');
    return data + 1;
  }

  @MessagePattern('stream')
  stream(@Payload() data: number): Observable<number> {
    say('handler');
    return defer(() => {
      say('subscribed');
      return timer(1, 1).pipe(map((tick) => data + tick));
    });
  }

  @MessagePattern('three')
  three(@Payload() data: number): Observable<number> {
    return of(data, data + 1, data + 2);
  }

  @MessagePattern('intercepted')
  @UseInterceptors(Saying)
  async intercepted(@Payload() data: number): Promise<number> {
    say('handler');
    await pause(1);
    return data;
  }

  @MessagePattern('error')
  error(@Payload() data: string): never {
    say('handler');
    throw new RpcException(data);
  }

  @MessagePattern('error stream')
  errorStream(@Payload() data: string): Observable<never> {
    return throwError(() => new RpcException(data));
  }

  @EventPattern('event')
  async event(@Payload() data: string): Promise<void> {
    say(`event ${data}`);
    await pause(1);
    say('event later');
  }
}

/** Says what the hooks see; each processing is a trace of its own, named after its data. */
function hook(server: GevServer): { readonly ended: () => number } {
  let number = 0;
  let ended = 0;
  server.setOnProcessingStartHook((transport, context, done) => {
    const { description } = transport as symbol;
    trace.run(`t${++number}`, () => {
      say(`start ${description} ${(context as GevContext).getPattern()}`);
      void done();
    });
  });
  server.setOnProcessingEndHook((_, context) => {
    say(`end ${(context as GevContext).getPattern()}`);
    ended++;
  });
  return { ended: () => ended };
}

describe.each([0, 2])('processing hooks of RPC on %i loops', (loops) => {
  async function start() {
    log = [];
    const service = await serveRpc({ loops }, Traced);
    const { ended } = hook(service.server);
    const peer = await RpcPeer.connect(service.port);
    return { service, peer, ended };
  }

  it.each([
    ['plain', ['handler']],
    ['promise', ['handler', 'handler later']],
    ['three', []],
    ['intercepted', ['before', 'handler', 'value', 'finalized']],
    ['error', ['handler']],
    ['error stream', []],
    ['event', ['event 1', 'event later']],
  ])('C7: start, %s, end: once each, in this order, in one trace', async (pattern, between) => {
    const { peer, ended } = await start();
    if (pattern === 'event') peer.send({ pattern, data: 1 });
    else await peer.send({ pattern, data: 1, id: 'a' }).all('a');
    await until(() => ended() > 0);
    await settled(() => log.length, 10);
    expect(log).toEqual([`start GEV ${pattern}`, ...between, `end ${pattern}`].map((what) => `t1 ${what}`));
  });

  it.each(['plain', 'three', 'error', 'event'])(
    'U1: an end hook that throws costs nobody the reply: %s',
    async (pattern) => {
      const { service, peer } = await start();
      await peer.send({ pattern, data: 1, id: 'a' }).all('a');
      const before = peer.of('a');
      service.server.setOnProcessingEndHook(() => {
        throw new Error('the end hook fails');
      });
      await peer.send({ pattern, data: 1, id: 'b' }).all('b');
      expect(peer.of('b')).toEqual(before.map((packet) => ({ ...packet, id: 'b' })));
      await until(() =>
        service.lines.some((line) => line === 'onProcessingEndHook failed: the end hook fails'),
      );
    },
  );

  it('U1: a start hook that throws after it has called done is logged; one that throws before is an error', async () => {
    const { service, peer } = await start();
    const late = async (done: () => Promise<unknown>): Promise<never> => {
      await done();
      throw new Error('too late');
    };
    // Nest's type has it synchronous, Nest's own server awaits it.
    service.server.setOnProcessingStartHook((_transport, _context, done) => late(done) as unknown as void);
    await peer.send({ pattern: 'plain', data: 1, id: 'a' }).all('a');
    await until(() => service.lines.length > 0);
    expect(peer.of('a')).toEqual([{ response: 2, isDisposed: true, id: 'a' }]);
    expect(service.lines[0]).toBe('onProcessingStartHook failed: too late');
    service.server.setOnProcessingStartHook(() => {
      throw new Error('at once');
    });
    const [reply] = await peer.send({ pattern: 'plain', data: 1, id: 'b' }).all('b');
    expect(reply).toMatchObject({ err: { status: 'error' }, isDisposed: true });
  });

  it('C7: a request for a pattern that events are handled by has them, too', async () => {
    const { peer, ended } = await start();
    await peer.send({ pattern: 'event', data: 1, id: 'a' }).all('a');
    await until(() => ended() > 0);
    expect(log[0]).toBe('t1 start GEV event');
    expect(ended()).toBe(1);
  });

  it('C7: the end hook of a stream runs in its trace when the client cancels it', async () => {
    const { peer, ended } = await start();
    peer.send({ pattern: 'stream', data: 1, id: 'a' });
    await until(() => peer.packets.length > 2);
    expect(log).toEqual(['t1 start GEV stream', 't1 handler', 't1 subscribed']);
    expect(ended()).toBe(0);
    peer.send({ pattern: 'gev:cancel', data: 'a' });
    await until(() => ended() === 1);
    expect(await settled(ended, 10)).toBe(1);
  });

  it('C7: concurrent requests keep to their traces', async () => {
    const { peer, ended } = await start();
    for (let id = 0; id < 50; id++) peer.send({ pattern: 'promise', data: id, id });
    await until(() => ended() === 50 && peer.packets.length === 50);
    for (let id = 0; id < 50; id++) {
      const own = log.filter((line) => line.startsWith(`t${id + 1} `)).map((line) => line.split(' ')[1]);
      expect(own).toEqual(['start', 'handler', 'handler', 'end']);
    }
  });

  it('C7: hooks that are installed while the server runs hold for patterns in use, too', async () => {
    log = [];
    const { port, server } = await serveRpc({ loops }, Traced);
    const peer = await RpcPeer.connect(port);
    await peer.send({ pattern: 'plain', data: 1, id: 'a' }).all('a');
    expect(log).toEqual(['- handler']);
    const { ended } = hook(server);
    await peer.send({ pattern: 'plain', data: 1, id: 'b' }).all('b');
    peer.send({ pattern: 'event', data: 1 });
    await until(() => ended() === 2);
  });

  it('C6: a start hook that throws or rejects is answered with an error, and harms nobody else', async () => {
    const { port, server } = await serveRpc({ loops }, Traced);
    server.setOnProcessingStartHook(((_: unknown, context: GevContext, done: () => Promise<void>) => {
      if (context.getPattern() === 'plain') throw new Error('thrown');
      return context.getPattern() === 'promise' ? Promise.reject(new Error('rejected')) : done();
    }) as never);
    const peer = await RpcPeer.connect(port);
    const err = { status: 'error', message: 'Internal server error' };
    expect(await peer.send({ pattern: 'plain', data: 1, id: 'a' }).all('a')).toMatchObject([{ err }]);
    expect(await peer.send({ pattern: 'promise', data: 1, id: 'b' }).all('b')).toMatchObject([{ err }]);
    expect(await peer.send({ pattern: 'three', data: 1, id: 'c' }).all('c')).toHaveLength(3);
  });

  it('C7: a start hook that calls done twice runs the handler once', async () => {
    log = [];
    const { port, server } = await serveRpc({ loops }, Traced);
    server.setOnProcessingStartHook((async (_: unknown, __: unknown, done: () => Promise<void>) => {
      await Promise.all([done(), done()]);
      await done();
    }) as never);
    const peer = await RpcPeer.connect(port);
    expect(await peer.send({ pattern: 'plain', data: 1, id: 'a' }).all('a')).toMatchObject([{ response: 2 }]);
    expect(await peer.send({ pattern: 'plain', data: 2, id: 'b' }).all('b')).toMatchObject([{ response: 3 }]);
    expect(log).toEqual(['- handler', '- handler']);
  });
});
