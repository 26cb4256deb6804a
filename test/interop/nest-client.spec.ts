import { describe, expect, it } from '@jest/globals';
import { BadRequestException, Controller, ParseIntPipe } from '@nestjs/common';
import { ClientTCP, Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GevContext } from 'nestjs-gev';
import {
  delay,
  EMPTY,
  firstValueFrom,
  from,
  lastValueFrom,
  of,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { frame, nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';
import { pause, until } from '../kit/until.js';

const MiB = 1024 * 1024;
let events: unknown[] = [];

@Controller()
class Service {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern({ cmd: 'sum', of: { kind: 'numbers', sign: '+' } })
  sum(@Payload() data: number[]): number {
    return data.reduce((a, b) => a + b, 0);
  }

  @MessagePattern(42)
  fortyTwo(@Payload() data: unknown): unknown {
    return ['forty-two', data];
  }

  @MessagePattern(['first', 'second'])
  either(@Payload() data: unknown, @Ctx() context: GevContext): unknown {
    return [context.getPattern(), data];
  }

  @MessagePattern('promise')
  async promise(@Payload() data: number): Promise<number> {
    await pause(data);
    return data;
  }

  @MessagePattern('observable')
  observable(@Payload() data: unknown[]): Observable<unknown> {
    return from(data);
  }

  @MessagePattern('promised observable')
  async promisedObservable(@Payload() data: unknown[]): Promise<Observable<unknown>> {
    return from(data).pipe(delay(1));
  }

  @MessagePattern('empty')
  empty(@Payload() data: string): unknown {
    return data === 'observable' ? EMPTY : undefined;
  }

  @MessagePattern('fail')
  fail(@Payload() data: string): unknown {
    if (data === 'string') throw new RpcException('as a string');
    if (data === 'object') throw new RpcException({ code: 7, nested: { why: 'as an object' } });
    if (data === 'http') throw new BadRequestException('as HTTP');
    if (data === 'observable') return throwError(() => new RpcException('observed'));
    throw new Error('a secret');
  }

  @MessagePattern('integer')
  integer(@Payload(ParseIntPipe) data: number): number {
    return data;
  }

  @EventPattern('happened')
  happened(@Payload() data: unknown): void {
    events.push(['happened', data]);
  }

  @EventPattern({ topic: 'news', at: 1 })
  news(@Payload() data: unknown): void {
    events.push(['news', data]);
  }
}

@Controller()
class Second {
  @EventPattern('happened')
  async happened(@Payload() data: unknown): Promise<void> {
    await pause(1);
    events.push(['second', data]);
  }

  @EventPattern('happened')
  observed(@Payload() data: unknown): Observable<unknown> {
    events.push(['third', data]);
    return of(data);
  }
}

describe.each([0, 2])("Nest's ClientTCP on %i loops", (loops) => {
  const start = async (options = {}) => {
    events = [];
    const service = await serveRpc({ loops, ...options }, [Service, Second]);
    return { ...service, client: nestClient(service.port) };
  };
  const ask = (client: ClientTCP, pattern: unknown, data: unknown): Promise<any> =>
    firstValueFrom(client.send<unknown>(pattern, data));

  it('P2: finds handlers by string, number and object patterns, whatever the order of keys', async () => {
    const { client } = await start();
    expect(await ask(client, 'echo', 'a')).toBe('a');
    expect(await ask(client, 42, 'a')).toEqual(['forty-two', 'a']);
    expect(await ask(client, '42', 'a')).toEqual(['forty-two', 'a']);
    const sum = { cmd: 'sum', of: { kind: 'numbers', sign: '+' } };
    const reordered = { of: { sign: '+', kind: 'numbers' }, cmd: 'sum' };
    for (const pattern of [sum, reordered, JSON.stringify(sum), JSON.stringify(reordered)]) {
      expect(await ask(client, pattern, [1, 2, 3])).toBe(6);
    }
    expect(await ask(client, 'first', 1)).toEqual(['first', 1]);
    expect(await ask(client, 'second', 2)).toEqual(['second', 2]);
  });

  it.each([{ cmd: 'sum' }, { cmd: 'sum', of: { kind: 'numbers', sign: '-' } }, 43, 'Echo', '', '__proto__'])(
    'P2: tells the caller that nobody handles %j',
    async (pattern) => {
      const { client } = await start();
      await expect(ask(client, pattern, 1)).rejects.toBe(
        'There is no matching message handler defined in the remote service.',
      );
    },
  );

  it('P2: plain, promised and observable replies, and every JSON value', async () => {
    const { client } = await start();
    for (const value of [0, -1.5, '', 'text', true, false, [], {}, [1, [2]], { a: { b: null } }]) {
      expect(await ask(client, 'echo', value)).toEqual(value);
    }
    expect(await ask(client, 'echo', { nothing: null })).toEqual({ nothing: null });
    expect(await ask(client, 'promise', 5)).toBe(5);
    for (const pattern of ['observable', 'promised observable']) {
      expect(await lastValueFrom(client.send(pattern, [1, 'two', null, [3]]).pipe(toArray()))).toEqual([
        1,
        'two',
        null,
        [3],
      ]);
    }
  });

  it('P2: a reply of nothing completes without a value', async () => {
    const { client } = await start();
    for (const data of ['plain', 'observable']) {
      expect(await lastValueFrom(client.send('empty', data).pipe(toArray()))).toEqual([]);
    }
  });

  it('C6: errors: what an RpcException carries, and nothing of any other', async () => {
    const { client } = await start();
    const hidden = { status: 'error', message: 'Internal server error' };
    await expect(ask(client, 'fail', 'string')).rejects.toEqual({ status: 'error', message: 'as a string' });
    await expect(ask(client, 'fail', 'object')).rejects.toEqual({ code: 7, nested: { why: 'as an object' } });
    await expect(ask(client, 'fail', 'observable')).rejects.toEqual({ status: 'error', message: 'observed' });
    await expect(ask(client, 'fail', 'http')).rejects.toEqual(hidden);
    await expect(ask(client, 'fail', 'error')).rejects.toEqual(hidden);
    await expect(ask(client, 'integer', 'x')).rejects.toEqual(hidden); // a pipe's BadRequestException
    expect(await ask(client, 'integer', '12')).toBe(12);
  });

  it("P2: a client's serializeError makes them errors of its own", async () => {
    const { port } = await start();
    class NotFound extends Error {
      constructor(readonly code: number) {
        super(`code ${code}`);
      }
    }
    class OurClient extends ClientTCP {
      protected override serializeError(error: { code: number }): Error {
        return new NotFound(error.code);
      }
    }
    const client = new OurClient({ host: '127.0.0.1', port });
    onCleanup(() => client.close());
    await expect(ask(client, 'fail', 'object')).rejects.toBeInstanceOf(NotFound);
    await expect(ask(client, 'fail', 'object')).rejects.toMatchObject({ code: 7, message: 'code 7' });
  });

  it('P2: an event reaches every handler of its pattern, in several controllers, once', async () => {
    const { client, lines } = await start();
    for (const number of [1, 2]) await firstValueFrom(client.emit('happened', number));
    await firstValueFrom(client.emit({ at: 1, topic: 'news' }, 'a'));
    await firstValueFrom(client.emit('nobody cares', 'a'));
    await until(() => events.length === 7);
    await ask(client, 'echo', 1);
    const names = (of: string): unknown[] => (events as [string, unknown][]).filter(([name]) => name === of);
    for (const name of ['happened', 'second', 'third']) {
      expect(names(name)).toEqual([
        [name, 1],
        [name, 2],
      ]);
    }
    expect(names('news')).toEqual([['news', 'a']]);
    expect(lines.join()).toContain('nobody cares');
  });

  it('P2: requests that are in flight at once get their own replies', async () => {
    const { client } = await start();
    const delays = Array.from({ length: 200 }, (_, index) => (index * 7) % 40);
    expect(await Promise.all(delays.map((ms) => ask(client, 'promise', ms)))).toEqual(delays);
  });

  it('R5: Unicode, line breaks, quotes, the delimiter and lone surrogates survive', async () => {
    const { client } = await start();
    const texts = ['é漢😀', '12#{"a":1}#', '"\\\n\r\t\0', '\ufeffBOM', '\ud800', 'a\udc00b', '\udc00\ud800'];
    texts.push('😀'.repeat(1000), `é${'x'.repeat(70_000)}漢`, '\u2028\u2029');
    for (const text of texts) {
      expect(await ask(client, 'echo', text)).toBe(text);
      expect(await ask(client, 'echo', { [text]: [text] })).toEqual({ [text]: [text] });
    }
    expect(await Promise.all(texts.map((text) => ask(client, 'echo', text)))).toEqual(texts);
    await expect(ask(client, 'é漢😀\ud800', 1)).rejects.toMatch(/no matching/);
  });

  it('R3: 1 MiB passes by default, 16 MiB with maxFrameLength raised', async () => {
    const { client } = await start();
    for (const text of ['x'.repeat(MiB), 'é'.repeat(MiB), '\n'.repeat(MiB)]) {
      expect((await ask(client, 'echo', text)) === text).toBe(true);
    }
    const large = await start({ maxFrameLength: 17 * MiB });
    const text = 'x'.repeat(16 * MiB);
    expect((await ask(large.client, 'echo', text)) === text).toBe(true);
    const named = await start({ maxBufferSize: 17 * MiB }); // by Nest's name
    expect((await ask(named.client, 'echo', text)) === text).toBe(true);
  });

  it('R3: a longer frame ends its connection, and the request with it', async () => {
    const { client, connections } = await start({ maxFrameLength: 1024 });
    await expect(ask(client, 'echo', 'x'.repeat(2048))).rejects.toThrow('Connection closed');
    await until(() => connections[0]?.state === 'closed');
    expect(connections[0]!.closeReason).toBe('protocol');
    expect(await ask(client, 'echo', 'again')).toBe('again');
  });

  it('R1: 10,000 requests in one write are all answered, in order', async () => {
    const { port } = await start();
    const peer = await RpcPeer.connect(port);
    const count = 10_000;
    peer.send(...Array.from({ length: count }, (_, id) => ({ pattern: 'echo', data: id * 2, id })));
    await until(() => peer.packets.length === count);
    expect(peer.packets).toEqual(
      Array.from({ length: count }, (_, id) => ({ response: id * 2, isDisposed: true, id })),
    );
  });

  it('R1: so are 10,000 that a client sends in one turn', async () => {
    const { client } = await start();
    await client.connect();
    const numbers = Array.from({ length: 10_000 }, (_, index) => index);
    expect(await Promise.all(numbers.map((number) => ask(client, 'echo', number)))).toEqual(numbers);
  });

  it('R1: bytes that come one at a time make the same conversation', async () => {
    const { port } = await start();
    const peer = await RpcPeer.connect(port);
    peer.peer.socket.setNoDelay(true);
    const text = [
      frame({ pattern: 'echo', data: 'é漢😀', id: 1 }),
      frame({ pattern: { of: { sign: '+', kind: 'numbers' }, cmd: 'sum' }, data: [1, 2], id: 2 }),
      frame({ pattern: 'happened', data: 'slowly' }),
      frame({ pattern: 'nobody', data: '', id: 3 }),
    ].join('');
    for (const byte of Buffer.from(text)) {
      peer.peer.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.all(3);
    await until(() => events.length === 3);
    expect(peer.of(1)).toEqual([{ response: 'é漢😀', isDisposed: true, id: 1 }]);
    expect(peer.of(2)).toEqual([{ response: 3, isDisposed: true, id: 2 }]);
  });

  it('C10: closing while a reply is on its way loses nothing on the side of the server', async () => {
    const { client, server } = await start();
    const reply = ask(client, 'promise', 20);
    await until(() => server.stats().handlers.pending === 1);
    client.close();
    await expect(reply).rejects.toThrow('Connection closed'); // that is Nest's own choice
    await until(() => server.connections.size === 0);
    expect(server.stats().handlers).toMatchObject({ pending: 0, lateReplies: 0 });
    expect(await ask(client, 'echo', 'back again')).toBe('back again');
  });
});
