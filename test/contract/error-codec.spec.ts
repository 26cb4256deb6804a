import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, HttpException, NotFoundException, UseFilters } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import {
  errorCodec,
  GevExceptionFilter,
  type GevErrors,
  GevRemoteError,
  type GevServerOptions,
} from 'nestjs-gev';
import fc from 'fast-check';
import { once } from 'node:events';
import { inspect } from 'node:util';
import { createServer, type AddressInfo } from 'node:net';
import { concat, firstValueFrom, lastValueFrom, of, throwError, type Observable } from 'rxjs';
import { clientOf } from '../kit/rpc-client.js';
import { onCleanup } from '../kit/cleanup.js';
import { until } from '../kit/until.js';
import { Deframer, nestClient, RpcPeer, serveRpc } from '../kit/rpc.js';

class OrderNotFound extends Error {
  readonly code = 'ORDER_NOT_FOUND';

  constructor(
    readonly order: number,
    options?: ErrorOptions,
  ) {
    super(`Order ${order} is not there`, options);
  }

  /** Uses what is told of it. */
  retell(): string {
    return `#${this.order}`;
  }
}

class Rejected extends RpcException {
  constructor(readonly why: string) {
    super({ why, message: `Rejected: ${why}` });
  }
}

const logged: string[] = [];
const write = (line: string): void => void logged.push(line);
beforeEach(() => void logged.splice(0));

@Controller()
@UseFilters(new GevExceptionFilter({ log: write, warn: write, error: write }))
class Orders {
  @MessagePattern('known')
  known(@Payload() order: number): never {
    throw new OrderNotFound(order, { cause: new OrderNotFound(order + 1) });
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    return concat(
      of(1),
      throwError(() => new OrderNotFound(7)),
    );
  }

  @MessagePattern('carried')
  carried(): never {
    throw new RpcException(new TypeError('meant for you'));
  }

  @MessagePattern('unexpected')
  unexpected(): never {
    const cause = Object.assign(new Error('the query'), { code: '42P01', query: 'SELECT' });
    throw Object.assign(new TypeError('no such table', { cause }), { code: 'E_DB', password: 'secret' });
  }

  @MessagePattern('crash')
  crash(): never {
    throw new TypeError('crashed');
  }

  @MessagePattern('hidden cause')
  hiddenCause(): never {
    throw new OrderNotFound(1, { cause: new Error('SELECT secret') });
  }

  @MessagePattern('http')
  http(): never {
    throw new NotFoundException(['a', 'b']);
  }

  @MessagePattern('rpc')
  rpc(@Payload() error: any): never {
    throw new RpcException(error);
  }

  @MessagePattern('rejected')
  rejected(): never {
    throw new Rejected('late');
  }

  @MessagePattern('odd')
  odd(@Payload() which: string): never {
    const circular: any = new OrderNotFound(1);
    circular.cause = circular.self = circular;
    circular.big = 1n;
    const hostile = new Proxy(new OrderNotFound(2), {
      get: (target, key) => {
        if (key === 'message') throw new Error('no');
        return Reflect.get(target, key) as unknown;
      },
    });
    throw which === 'circular' ? circular : which === 'hostile' ? hostile : which;
  }
}

@Controller()
@UseFilters(new GevExceptionFilter({ log: write, warn: write, error: write }))
class Listener {
  @EventPattern('placed')
  placed(@Payload() order: any): any {
    throw new OrderNotFound(order);
  }
}

@Controller()
class Unfiltered {
  @MessagePattern('known')
  known(): never {
    throw new OrderNotFound(1);
  }

  @MessagePattern('carried')
  carried(): never {
    throw new RpcException(new OrderNotFound(2));
  }
}

const codec = errorCodec({ classes: [OrderNotFound, HttpException, Rejected] });

const serveOrders = (errors: GevErrors, options: GevServerOptions = {}) =>
  serveRpc({ loops: 0, errors, ...options }, Orders);

/** What a request fails with. */
async function failure(
  client: { send(pattern: string, data: unknown): Observable<unknown> },
  pattern: string,
  data: unknown = 1,
) {
  return lastValueFrom(client.send(pattern, data)).then(
    () => Promise.reject(new Error(`${pattern} has not failed`)),
    (error: unknown) => error as any,
  );
}

describe('errors with a codec on both sides', () => {
  it('N10: of a class that both know arrive as that, with code, members and causes', async () => {
    const { port } = await serveOrders(codec);
    const error = await failure(clientOf({ port, errors: codec }), 'known', 7);
    expect(error).toBeInstanceOf(OrderNotFound);
    expect(error).toMatchObject({ message: 'Order 7 is not there', code: 'ORDER_NOT_FOUND', order: 7 });
    expect(error.name).toBe('OrderNotFound');
    expect(error.retell()).toBe('#7');
    expect(error.cause).toBeInstanceOf(OrderNotFound);
    expect(error.cause.order).toBe(8);
    expect(error.stack).toBe('OrderNotFound: Order 7 is not there');
    expect(Object.keys(error).sort()).toEqual(['code', 'order']);
  });

  it('N10: end streams in the same way, behind their values', async () => {
    const { port } = await serveOrders(codec);
    const client = clientOf({ port, errors: codec });
    expect(await firstValueFrom(client.send('stream', 1))).toBe(1);
    expect(await failure(client, 'stream')).toBeInstanceOf(OrderNotFound);
  });

  it('N10: of a class that the client does not know are a GevRemoteError that says all of it', async () => {
    const { port } = await serveOrders(codec);
    const error = await failure(clientOf({ port, errors: 'detailed' }), 'known', 7);
    expect(error).toBeInstanceOf(GevRemoteError);
    expect(error).not.toBeInstanceOf(OrderNotFound);
    expect(error).toMatchObject({ name: 'OrderNotFound', code: 'ORDER_NOT_FOUND', data: { order: 7 } });
    expect(error.cause).toMatchObject({ name: 'OrderNotFound', data: { order: 8 } });
  });

  it('N10: HttpExceptions have their status and response, and are the nearest class that is known', async () => {
    const { port } = await serveOrders(codec);
    const error = await failure(clientOf({ port, errors: codec }), 'http');
    expect(error).toBeInstanceOf(HttpException);
    expect(error).not.toBeInstanceOf(NotFoundException);
    expect(error.getStatus()).toBe(404);
    expect(error.getResponse()).toEqual({ message: ['a', 'b'], error: 'Not Found', statusCode: 404 });
    expect(error.name).toBe('NotFoundException');
    const told = await failure(clientOf({ port, errors: errorCodec() }), 'http');
    expect(told).toMatchObject({
      name: 'NotFoundException',
      data: { status: 404, response: { statusCode: 404 } },
    });
  });

  it('N10: what an RpcException carries is as with Nest, and an Error for callers', async () => {
    const { port } = await serveOrders(codec);
    const client = clientOf({ port, errors: codec });
    expect(await failure(client, 'carried')).toMatchObject({ name: 'TypeError', message: 'meant for you' });
    const text = await failure(client, 'rpc', 'no');
    expect(text).toBeInstanceOf(GevRemoteError);
    expect(text).toMatchObject({
      message: 'no',
      code: 'ERR_GEV_REMOTE',
      data: { status: 'error', message: 'no' },
    });
    const object = await failure(client, 'rpc', { code: 5, message: 'm', more: [1] });
    expect(object).toMatchObject({ message: 'm', code: '5', data: { code: 5, message: 'm', more: [1] } });
    const rejected = await failure(client, 'rejected');
    expect(rejected).toBeInstanceOf(Rejected);
    expect(rejected).toMatchObject({ why: 'late', message: 'Rejected: late' });
    expect(rejected.getError()).toEqual({ why: 'late', message: 'Rejected: late' });
  });

  it('C6: unexpected ones stay with the server, and causes that are unexpected, unless asked for', async () => {
    const { port } = await serveOrders(codec);
    const client = clientOf({ port, errors: codec });
    const hidden = await failure(client, 'unexpected');
    expect(hidden).toMatchObject({ message: 'Internal server error', code: 'ERR_GEV_REMOTE' });
    expect((await failure(client, 'hidden cause')).cause).toBeUndefined();
    const detailed = await serveOrders('detailed');
    const error = await failure(clientOf({ port: detailed.port, errors: 'detailed' }), 'unexpected');
    expect(error).toMatchObject({
      name: 'TypeError',
      message: 'no such table',
      code: 'E_DB',
      data: undefined,
    });
    expect(error.cause).toMatchObject({
      name: 'Error',
      message: 'the query',
      code: '42P01',
      data: undefined,
    });
  });

  it('C6: stacks are told only when both ask for them', async () => {
    const withStack = errorCodec({ classes: [OrderNotFound], stack: true });
    const { port } = await serveOrders(withStack);
    expect((await failure(clientOf({ port, errors: withStack }), 'known')).stack).toMatch(
      /error-codec\.spec/,
    );
    expect((await failure(clientOf({ port, errors: codec }), 'known')).stack).not.toMatch(/\n/);
    const plain = await serveOrders(codec);
    const peer = await RpcPeer.connect(plain.port);
    peer.send({ pattern: 'known', data: 1, id: '1' });
    expect(JSON.stringify(await peer.all('1'))).not.toContain('error-codec.spec');
  });

  it('C6: what JSON cannot show of one is left out, and one that cannot be read is told as ever', async () => {
    const { port } = await serveOrders(codec);
    const client = clientOf({ port, errors: codec });
    const circular = await failure(client, 'odd', 'circular');
    expect(circular).toMatchObject({ order: 1 });
    expect(Object.keys(circular).sort()).toEqual(['code', 'order']);
    let depth = 0;
    for (let error = circular; error?.cause !== undefined; error = error.cause) depth++;
    expect(depth).toBe(8);
    expect(await failure(client, 'odd', 'hostile')).toMatchObject({ message: 'Internal server error' });
    expect(await failure(client, 'odd', 'text')).toMatchObject({ message: 'Internal server error' });
  });

  it('C6: a codec of your own that throws is done without, on either side', async () => {
    const failing = {
      encode(): never {
        throw new Error('encode');
      },
      decode(): never {
        throw new Error('decode');
      },
    };
    const { port, lines } = await serveOrders(failing);
    const client = clientOf({ port, errors: failing });
    const errors: any[] = [];
    client.on('error', (error) => errors.push(error.cause));
    expect(await failure(client, 'known')).toEqual({ status: 'error', message: 'Internal server error' });
    expect(errors).toEqual([new Error('decode')]);
    expect(lines).toEqual([expect.stringContaining('codec')]);
  });
});

describe('log lines', () => {
  it('N6: there is one for each unexpected error, and none for what callers are meant to see', async () => {
    const { port, lines } = await serveOrders(codec);
    const client = clientOf({ port, errors: codec });
    const patterns = ['known', 'stream', 'http', 'rejected', 'carried', 'crash'];
    for (const pattern of patterns) await failure(client, pattern);
    // Of other tests there may be counts yet to come.
    const ours = logged.filter((line) => patterns.some((pattern) => line.includes(`"${pattern}"`)));
    expect(ours).toEqual([expect.stringMatching(/^The handler of "crash" failed .*: crashed$/)]);
    expect(lines).toEqual([]);
  });

  it('N6: there is one where nobody waits for the error', async () => {
    const { port, lines } = await serveRpc({ loops: 0, errors: codec }, Listener);
    await lastValueFrom(clientOf({ port }).emit('placed', 3), { defaultValue: 0 });
    await until(() => lines.length + logged.length > 0);
    expect([...lines, ...logged]).toEqual([expect.stringMatching(/"placed" failed .*Order 3 is not there/)]);
  });
});

describe('errors with a codec on one side', () => {
  it('N10: without GevExceptionFilter those are told that an RpcException carries', async () => {
    const { port } = await serveRpc({ loops: 0, errors: codec }, Unfiltered);
    const client = clientOf({ port, errors: codec });
    expect(await failure(client, 'carried')).toMatchObject({ order: 2 });
    expect(await failure(client, 'known')).toMatchObject({ message: 'Internal server error' });
  });

  it("P2: Nest's client gets an object with a message, as ever", async () => {
    const { port } = await serveOrders(codec);
    const client = nestClient(port);
    const known = await failure(client, 'known', 7);
    expect(known).toMatchObject({ status: 'error', message: 'Order 7 is not there', name: 'OrderNotFound' });
    expect(await failure(client, 'unexpected')).toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    expect(await failure(client, 'rpc', { a: 1 })).toEqual({ a: 1 });
    expect(await failure(clientOf({ port }), 'known', 7)).toEqual(known);
  });

  it('P2: a server without one is understood: what it tells is the data of an Error', async () => {
    const { port } = await serveOrders('nest');
    const client = clientOf({ port, errors: codec });
    const err = { status: 'error', message: 'Internal server error' };
    expect(await failure(client, 'known')).toMatchObject({
      name: 'GevRemoteError',
      message: err.message,
      data: err,
    });
    const nobody = await failure(client, 'nobody');
    expect(nobody.message).toMatch(/no matching message handler/);
    expect(nobody).toBeInstanceOf(Error);
    expect(await failure(clientOf({ port }), 'known')).toEqual(err);
  });

  it('C6: a filter changes nothing for a server without one', async () => {
    const { port } = await serveOrders('nest');
    const client = nestClient(port);
    expect(await failure(client, 'rejected')).toEqual({ why: 'late', message: 'Rejected: late' });
    expect(await failure(client, 'http')).toEqual({ status: 'error', message: 'Internal server error' });
  });
});

describe('a server that is not to be trusted', () => {
  /** Answers every request with that `err`. */
  async function answer(err: string): Promise<any> {
    const server = createServer((socket) => {
      const deframer = new Deframer();
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const text of deframer.push(chunk)) {
          const { id } = JSON.parse(text) as { readonly id: string };
          const reply = `{"err":${err},"isDisposed":true,"id":"${id}"}`;
          socket.write(`${reply.length}#${reply}`);
        }
      });
    });
    onCleanup(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    return failure(clientOf({ port, errors: codec }), 'any');
  }

  it.each([
    ['{"__proto__":{"polluted":1},"order":5}', 'data'],
    ['{"toString":1,"retell":2,"constructor":3,"message":4,"stack":5,"name":6}', 'members of the class'],
  ])('C6: changes neither prototypes nor methods (%s)', async (data) => {
    const error = await answer(
      `{"gev:error":1,"class":"OrderNotFound","message":"m","name":"OrderNotFound","data":${data}}`,
    );
    expect(error).toBeInstanceOf(OrderNotFound);
    expect(Object.getPrototypeOf(error)).toBe(OrderNotFound.prototype);
    expect(({} as any).polluted).toBeUndefined();
    expect(error.polluted).toBeUndefined();
    expect(String(error)).toBe('OrderNotFound: m');
    expect(typeof error.retell).toBe('function');
  });

  it.each([
    '{"gev:error":1,"class":"Function","message":"m"}',
    '{"gev:error":1,"class":"constructor"}',
    '{"gev:error":1,"class":{"toString":1},"message":{"toString":1},"name":[],"code":{},"stack":7,"cause":{"gev:error":1}}',
    '{"gev:error":"1","class":"OrderNotFound","message":"m"}',
    '[1]',
    '7',
    'true',
    `${'{"gev:error":1,"cause":'.repeat(1_000)}1${'}'.repeat(1_000)}`,
  ])('C6: makes no class that was not given, and nothing but an Error (%.60s)', async (err) => {
    const error = await answer(err);
    expect(error).toBeInstanceOf(GevRemoteError);
    expect(typeof error.message).toBe('string');
    expect(typeof error.name).toBe('string');
    expect(String(error)).toContain(error.message);
  });
});

describe('whatever comes', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom<any>('OrderNotFound', 'HttpException', 1));
  const keys = ['gev:error', 'message', 'name', 'class', 'code', 'cause', 'data', 'stack', '__proto__'];
  const packet = fc
    .dictionary(fc.constantFrom(...keys), member)
    .map((members) => ({ 'gev:error': 1, ...members }));

  it('N10: under err, decode() makes an Error of it that can be shown', () => {
    fc.assert(
      fc.property(fc.oneof(packet, fc.jsonValue()), (err) => {
        const error = codec.decode(JSON.parse(JSON.stringify(err))) as Error;
        expect(error).toBeInstanceOf(Error);
        expect(typeof inspect(error)).toBe('string');
        expect(String(error)).toContain(error.message);
      }),
    );
  });

  it('N10: is thrown, encode() makes JSON of it, which is read as what it was', () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (message, members) => {
        const error = Object.assign(new OrderNotFound(1), { message }, { ...members, more: members });
        const read = codec.decode(JSON.parse(JSON.stringify(codec.encode(error, undefined, true)))) as any;
        expect(read).toBeInstanceOf(OrderNotFound);
        expect(read.more).toEqual(JSON.parse(JSON.stringify(members)));
      }),
    );
    for (const odd of [undefined, null, 5, 'text', [], {}, Symbol('s'), () => 1]) {
      expect(codec.encode(odd, 'told', false)).toBe('told');
    }
  });
});

describe('the option', () => {
  it.each<[any]>([['all'], [5], [{}], [{ encode: () => 1 }]])(
    'N5: refuses what it does not know: %j',
    async (errors) => {
      expect(() => clientOf({ errors })).toThrow(
        expect.objectContaining({ name: 'GevOptionsError', option: 'errors' }),
      );
      await expect(serveOrders(errors)).rejects.toMatchObject({ option: 'errors' });
    },
  );

  it.each<[any, string]>([
    [{ classes: [class {}] }, 'errorCodec.classes'],
    [{ classes: [OrderNotFound, OrderNotFound] }, 'errorCodec.classes'],
    [{ classes: OrderNotFound }, 'errorCodec.classes'],
    [{ stack: 1 }, 'errorCodec.stack'],
    [{ clases: [] }, 'errorCodec.clases'],
  ])('N5: errorCodec() refuses what it cannot use: %p', (options, option) => {
    expect(() => errorCodec(options)).toThrow(expect.objectContaining({ name: 'GevOptionsError', option }));
  });
});
