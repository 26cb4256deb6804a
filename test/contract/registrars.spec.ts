import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import type { GevContext } from 'nestjs-gev';
import { AsyncLocalStorage } from 'node:async_hooks';
import { map, Observable } from 'rxjs';
import { Peer } from '../kit/peer.js';
import { pendingReplies } from '../kit/pending-replies.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const als = new AsyncLocalStorage<string>();

describe.each([0, 2])('the context of callbacks, on %i loops', (loops) => {
  const seen: Record<string, unknown> = {};
  const note = (what: string) => (): void => void (seen[what] = als.getStore());
  const as = (who: string, run: () => void): void => als.run(who, run);

  it('X4: callbacks and subscribers run in the context of whoever registered them', async () => {
    const { server, port, connection } = await serve({ loops, highWaterMark: 1024, lowWaterMark: 512 });
    as('a', () => server.connections$.pipe(map(note('an operator'))).subscribe(note('connections$')));
    as('b', () => server.on('connection', note('on')));
    as('c', () => server.runAfter(1, note('runAfter')));
    let every = 0;
    as('d', () => {
      const timer = server.runEvery(1, () => {
        note('runEvery')();
        if (++every === 2) timer.cancel();
      });
    });
    const peer = await Peer.connect(port);
    const conn = await connection();
    const watch = (who: string, source: Observable<unknown>, what: string): void =>
      as(who, () => source.subscribe({ next: note(what), complete: note(`${what} end`) }));
    watch('e', conn.messages$, 'messages$');
    watch('f', conn.messages$, 'messages$ too');
    watch('g', conn.drain$, 'drain$');
    watch('h', conn.closed$, 'closed$');
    as('i', () => conn.send(Buffer.alloc(4096), note('send')));
    as('j', () => peer.write('x'));
    as('somebody else', () => server.unwrap().reactor.runAfter(1, note('reactor')));
    await until(() => 'messages$' in seen && 'drain$' in seen && 'send' in seen && every === 2);
    as('nobody', () => conn.destroy());
    as('k', () => conn.send('late', note('refused')));
    await until(() => 'closed$ end' in seen && 'refused' in seen && 'runAfter' in seen && 'reactor' in seen);
    watch('l', conn.closed$, 'closed$ late');
    expect(seen).toEqual({
      ...{ connections$: 'a', 'an operator': 'a', on: 'b', runAfter: 'c', runEvery: 'd', messages$: 'e' },
      ...{
        'messages$ end': 'e',
        'messages$ too': 'f',
        'messages$ too end': 'f',
        drain$: 'g',
        'drain$ end': 'g',
      },
      ...{ closed$: 'h', 'closed$ end': 'h', send: 'i', refused: 'k', reactor: 'somebody else' },
      ...{ 'closed$ late': 'l', 'closed$ late end': 'l' },
    });
  });

  it('X4: ctx.signal takes null for a listener, as any signal does', async () => {
    const heard: string[] = [];
    @Controller()
    class Waits {
      @MessagePattern('wait')
      wait(@Ctx() { signal }: GevContext): Promise<never> {
        signal.addEventListener('abort', null as never);
        signal.onabort = 5 as never;
        expect(signal.onabort).toBe(null);
        signal.onabort = () => heard.push('onabort');
        signal.addEventListener('abort', () => heard.push('listener'));
        return new Promise(() => undefined);
      }
    }
    const { port, connection } = await serveRpc({ loops, drainTimeout: 50 }, Waits);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'wait', data: 1, id: '1' });
    const conn = await connection();
    await until(() => pendingReplies(conn) === 1);
    peer.peer.reset();
    await until(() => heard.length === 2);
    expect(heard).toEqual(['onabort', 'listener']);
  });

  it('X1: what a serializer or a teardown enters when a server stops the next call does not see', async () => {
    const seen: string[] = [];
    const note = (what: string): void => {
      seen.push(`${what} as ${String(als.getStore())}`);
      als.enterWith(what);
    };
    @Controller()
    class Streams {
      @MessagePattern('stream')
      stream(@Payload() data: string): Observable<never> {
        return new Observable(() => () => note(`teardown ${data}`));
      }
    }
    const serializer = {
      serialize(packet: { id: string }): unknown {
        note(`serializer ${packet.id}`);
        return packet;
      },
    };
    const { port, connection, close } = await serveRpc({ loops, serializer, drainTimeout: 50 }, Streams);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'stream', data: 'a', id: 'a' }, { pattern: 'stream', data: 'b', id: 'b' });
    const conn = await connection();
    await until(() => pendingReplies(conn) === 2);
    await als.run('whoever stops it', close);
    expect(seen.filter((line) => line.startsWith('serializer'))).toEqual([
      'serializer undefined as undefined', // of gev:goaway, which has no id
      'serializer b as undefined',
      'serializer a as undefined',
    ]);
  });

  it('X4, U1: listeners of ctx.signal run in their own context, and each of them, whatever others throw', async () => {
    const fired: string[] = [];
    let ready = false;

    @Controller()
    class Waiting {
      @MessagePattern('wait')
      wait(@Ctx() { signal }: GevContext): Promise<never> {
        const hear = (name: string) => (): void => void fired.push(`${name} ${String(als.getStore())}`);
        const removed = hear('removed');
        als.run('a', () => signal.addEventListener('abort', hear('a')));
        als.run('b', () =>
          signal.addEventListener('abort', () => {
            throw new Error('the listener fails');
          }),
        );
        als.run('c', () => signal.addEventListener('abort', { handleEvent: hear('c') }, { once: true }));
        als.run('d', () => (signal.onabort = hear('d')));
        signal.addEventListener('abort', removed);
        signal.removeEventListener('abort', removed);
        ready = true;
        return new Promise(() => undefined);
      }
    }
    const { port, lines } = await serveRpc({ loops, drainTimeout: 50 }, Waiting);
    const client = await RpcPeer.connect(port);
    client.send({ pattern: 'wait', data: null, id: '1' });
    await until(() => ready);
    client.peer.reset();
    await until(() => fired.length === 3);
    expect(fired.sort()).toEqual(['a a', 'c c', 'd d']);
    await until(() => lines.length > 0);
    expect(lines[0]).toMatch(/^A listener of ctx.signal failed on connection \d+ .*: the listener fails$/);
  });
});
