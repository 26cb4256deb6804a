import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import type { GevDeserializer, GevSerializer } from 'nestjs-gev';
import { firstValueFrom, from, lastValueFrom, map, type Observable, timer, toArray } from 'rxjs';
import { nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, until } from '../kit/until.js';

let log: unknown[] = [];

@Controller()
class Calculator {
  @MessagePattern('sum')
  async sum(@Payload() data: number[]): Promise<number> {
    await pause(1);
    return data.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('count')
  count(@Payload() to: number): Observable<number> {
    return from(Array.from({ length: to }, (_, index) => index));
  }

  @MessagePattern('bad')
  bad(@Payload() at: number): Observable<unknown> {
    return timer(0, 1).pipe(map((tick) => (tick === at ? { big: 1n } : tick)));
  }

  @MessagePattern('ticks')
  ticks(@Payload() every: number): Observable<number> {
    log.push('subscribed');
    return timer(0, every);
  }

  @EventPattern('event')
  event(@Payload() data: unknown): void {
    log.push(data);
  }
}

/** Packets in an envelope of their own: `{ v: 1, body: packet }`. */
const wrap = (body: unknown): unknown => ({ v: 1, body });
const unwrap = (value: unknown): any => (value as { body: unknown }).body;

const sync = {
  serializer: { serialize: wrap } satisfies GevSerializer,
  deserializer: { deserialize: unwrap } satisfies GevDeserializer,
};
/** Slower for the first than for those that follow. */
const later = (work: (value: unknown) => unknown) => {
  let delay = 40;
  return async (value: unknown) => {
    await pause((delay = Math.max(delay - 10, 1)));
    return work(value);
  };
};
const async = () => ({
  serializer: { serialize: later(wrap) } satisfies GevSerializer,
  deserializer: { deserialize: later(unwrap) } satisfies GevDeserializer,
});
const slow = { serialize: later((value) => value), deserialize: later((value) => value) };
const plain = { serialize: (value: unknown) => value };
const refuse = () => {
  throw new Error('refused');
};

describe.each([0, 2])('serializers of RPC on %i loops', (loops) => {
  it.each([
    ['sync', () => sync],
    ['async', async],
  ])('P2: a %s serializer and deserializer on both sides: requests, streams, events', async (_, make) => {
    log = [];
    const { port } = await serveRpc({ loops, ...make() }, Calculator);
    const client = nestClient(port, {
      serializer: sync.serializer,
      deserializer: sync.deserializer,
    });
    expect(await firstValueFrom(client.send('sum', [1, 2, 3]))).toBe(6);
    expect(await lastValueFrom(client.send('count', 5).pipe(toArray()))).toEqual([0, 1, 2, 3, 4]);
    await expect(firstValueFrom(client.send('nobody', 1))).rejects.toMatch(/no matching message handler/);
    await firstValueFrom(client.emit('event', 'hello'));
    await until(() => log.length === 1);
    expect(log).toEqual(['hello']);
  });

  it('C4: replies to one connection keep their order though their serializer does not', async () => {
    const { port } = await serveRpc({ loops, serializer: { serialize: slow.serialize } }, Calculator);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'count', data: 6, id: 'a' }, { pattern: 'nobody', data: 6, id: 'b' });
    await peer.all('a');
    await until(() => peer.packets.length === 7);
    expect(peer.of('a').map(({ response }) => response as number)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('C10: after a half-close a reply is written that its deserializer and serializer take time for', async () => {
    const { port } = await serveRpc({ loops, serializer: slow, deserializer: slow }, Calculator);
    const peer = await RpcPeer.connect(port, { allowHalfOpen: true });
    peer.send({ pattern: 'sum', data: [1, 2], id: 'a' });
    peer.peer.socket.end();
    expect(await peer.all('a')).toEqual([{ response: 3, isDisposed: true, id: 'a' }]);
    await until(() => peer.peer.closed);
    expect(peer.peer.events).toEqual(['end', 'close']);
  });

  it('S8: so does close() answer requests that are still with them', async () => {
    const service = await serveRpc({ loops, serializer: slow, deserializer: slow }, Calculator);
    const peer = await RpcPeer.connect(service.port);
    peer.send(...Array.from({ length: 20 }, (_, id) => ({ pattern: 'sum', data: [id, 1], id })));
    await service.connection();
    await service.close();
    await until(() => peer.peer.closed);
    expect(peer.packets.map(({ response }) => response as number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, id) => id + 1),
    );
  });

  it('C9: a request whose client goes while it is deserialized reaches no handler', async () => {
    log = [];
    let finish: (() => void) | undefined;
    const deserialize = (value: unknown) => new Promise((resolve) => (finish = () => resolve(value)));
    const { port, server } = await serveRpc({ loops, deserializer: { deserialize } }, Calculator);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'ticks', data: 1, id: 'a' });
    await until(() => finish !== undefined);
    peer.peer.reset();
    await until(() => server.connections.size === 0);
    finish!();
    await until(() => server.stats().handlers.pending === 0);
    expect(log).toEqual([]);
  });

  it('C6: packets with the deserializer count as in flight', async () => {
    let most = 0;
    let now = 0;
    const deserialize = async (value: unknown): Promise<unknown> => {
      most = Math.max(most, ++now);
      await pause(5);
      now--;
      return value;
    };
    const { port } = await serveRpc({ loops, concurrency: 4, deserializer: { deserialize } }, Calculator);
    const peer = await RpcPeer.connect(port);
    peer.send(...Array.from({ length: 50 }, (_, id) => ({ pattern: 'sum', data: [1], id })));
    await until(() => peer.packets.length === 50);
    expect(most).toBeLessThanOrEqual(4);
  });

  it.each([
    ['throws', refuse],
    ['rejects', async () => refuse()],
  ])('C6: a deserializer that %s harms its own packet only', async (_, fail) => {
    const deserialize = (value: any): unknown => (value.data === 'bad' ? fail() : value);
    const service = await serveRpc({ loops, deserializer: { deserialize } }, Calculator);
    const peer = await RpcPeer.connect(service.port);
    peer.send({ pattern: 'sum', data: 'bad', id: 'a' }, { pattern: 'event', data: 'bad' });
    peer.send({ pattern: 'sum', data: [1], id: 'b' });
    expect(await peer.all('b')).toEqual([{ response: 1, isDisposed: true, id: 'b' }]);
    const err = { status: 'error', message: 'The packet could not be deserialized' };
    expect(await peer.all('a')).toEqual([{ err, isDisposed: true, id: 'a' }]);
    expect(service.lines.join()).toContain('refused');
  });

  it.each([
    ['throws', refuse],
    ['rejects', async () => refuse()],
  ])('C6: a serializer that %s has its caller told', async (_, fail) => {
    const serialize = (packet: any): unknown => (packet.response === 1 ? fail() : packet);
    const { port } = await serveRpc({ loops, serializer: { serialize } }, Calculator);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'sum', data: [1], id: 'a' }, { pattern: 'sum', data: [2], id: 'b' });
    const err = { status: 'error', message: 'The reply could not be serialized' };
    expect(await peer.all('a')).toEqual([{ err, isDisposed: true, id: 'a' }]);
    expect(await peer.all('b')).toEqual([{ response: 2, isDisposed: true, id: 'b' }]);
  });

  it.each([
    ['no serializer', {}],
    ['a sync one', { serializer: plain }],
    ['an async one', { serializer: { serialize: async (value: unknown) => value } }],
  ])('C6: with %s, a value of a stream that cannot be serialized ends the stream', async (_, options) => {
    const { port, server } = await serveRpc({ loops, ...options }, Calculator);
    const peer = await RpcPeer.connect(port);
    peer.send({ pattern: 'bad', data: 2, id: 'a' });
    await peer.all('a');
    await until(() => server.stats().handlers.pending === 0, 'the stream ends');
    peer.send({ pattern: 'sum', data: [1], id: 'b' });
    await peer.all('b');
    const err = { status: 'error', message: 'The reply could not be serialized' };
    expect(peer.of('a')).toEqual([
      { response: 0, id: 'a' },
      { response: 1, id: 'a' },
      { err, isDisposed: true, id: 'a' },
    ]);
  });
});
