import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GevOverloadedError, GevRecordBuilder, type GevRetryOptions } from 'nestjs-gev';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { concat, NEVER, of, type Observable } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { requestsIn, serveEcho } from '../kit/frames.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { frame, serveRpc } from '../kit/rpc.js';
import { settled, until } from '../kit/until.js';

/** What a server says that has not begun a request. */
const OVERLOADED = {
  status: 'error',
  message: 'The server is overloaded',
  code: 'ERR_GEV_OVERLOADED',
  retryable: true,
};
const SHUTTING_DOWN = { status: 'error', message: 'The server is shutting down', retryable: true };

/** Beside it, what only a server says of itself. */
const NOT_BEGUN = { status: 'gev:not-begun' };

let calls = 0;

@Controller()
class Service {
  /** Uses the very words of its server, or passes on those of another. */
  @MessagePattern('parrot')
  parrot(@Payload() words: object): never {
    calls++;
    throw new RpcException({ ...words });
  }

  /** The same, as an answer. */
  @MessagePattern('mirror')
  mirror(@Payload() words: object): object {
    calls++;
    return { err: words, ...NOT_BEGUN };
  }

  @MessagePattern('later')
  later(): never {
    calls++;
    throw new RpcException({ status: 'error', message: 'later', code: OVERLOADED.code, retryable: true });
  }

  @MessagePattern('wrong')
  wrong(): never {
    calls++;
    throw new RpcException('wrong');
  }

  @MessagePattern('stream')
  stream(): Observable<number> {
    calls++;
    return concat(of(1), NEVER);
  }
}

/** A handler that waits until it is let go. */
function heldBy(held: (() => void)[]): new () => object {
  @Controller()
  class Held {
    @MessagePattern('held')
    held(): Promise<string> {
      return new Promise((resolve) => held.push(() => resolve('done')));
    }
  }
  return Held;
}

/** A server that lets the first requests down, so many, and answers the others. It counts them. */
async function unreliable(
  failures: number,
  fail: (socket: Socket, id: string) => void,
): Promise<{ port: number; requests: () => number }> {
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const id of requestsIn(chunk)) {
        if (++requests <= failures) fail(socket, id);
        else socket.write(frame({ id, response: 'ok', isDisposed: true }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, requests: () => requests };
}

const hangUp = (socket: Socket): void => void socket.destroy();

const refuse = (socket: Socket, id: string): void =>
  void socket.write(frame({ err: OVERLOADED, isDisposed: true, id, ...NOT_BEGUN }));

const withRetry = (retry: GevRetryOptions) => new GevRecordBuilder('data').setRetry(retry);

describe('a request that may be sent again', () => {
  it('K4: is, where the server says that it was not begun, as often as it may', async () => {
    const first = await unreliable(2, refuse);
    const client = clientOf({ port: first.port, loops: 0 });
    const patient = new Subscriber(client.send('x', withRetry({ attempts: 2, delay: 1 }).build()));
    await until(() => patient.last === 'end');
    expect(patient.seen).toEqual(['ok', 'end']);
    expect(client.stats()).toMatchObject({ retries: 2, inFlight: 0 });
    expect(first.requests()).toBe(3);

    const second = await unreliable(2, refuse);
    const impatient = new Subscriber(
      clientOf({ port: second.port, loops: 0 }).send('x', withRetry({ attempts: 1, delay: 1 }).build()),
    );
    await until(() => impatient.seen.length > 0);
    expect(impatient.seen).toEqual([expect.any(GevOverloadedError)]);
    expect(second.requests()).toBe(2);
  });

  it('K4: is, by a server with a serializer, too', async () => {
    const wrap = { serialize: (body: unknown) => ({ body }) };
    const unwrap = { deserialize: (value: any) => value.body };
    const held: (() => void)[] = [];
    const { port } = await serveRpc(
      { loops: 0, serializer: wrap, deserializer: unwrap, maxInFlight: 1 },
      heldBy(held),
    );
    const client = clientOf({ port, loops: 0, serializer: wrap, deserializer: unwrap });
    const first = new Subscriber(client.send('held', 1));
    await until(() => held.length === 1);
    const second = new Subscriber(client.send('held', withRetry({ attempts: 100, delay: 1 }).build()));
    await until(() => client.stats().retries > 0);
    held[0]!();
    await until(() => held.length === 2);
    held[1]!();
    await until(() => second.last === 'end');
    expect([first.seen, second.seen]).toEqual([
      ['done', 'end'],
      ['done', 'end'],
    ]);
  });

  it.each([
    ['overloaded', OVERLOADED],
    ['shutting down', SHUTTING_DOWN],
  ])(
    'K4: is not, where a handler says word for word what a server that is %s would',
    async (_name, words) => {
      calls = 0;
      const { port } = await serveRpc({ loops: 0 }, Service);
      const client = clientOf({ port, loops: 0 });
      const retry = { attempts: 2, delay: 1, idempotent: true };
      const record = new GevRecordBuilder<unknown>(words).setRetry(retry).build();
      const parrot = new Subscriber(client.send('parrot', record));
      const mirror = new Subscriber(client.send('mirror', record));
      await until(() => parrot.seen.length > 0 && mirror.last === 'end');
      expect(parrot.seen).toEqual([words]);
      expect(mirror.seen).toEqual([{ err: words, ...NOT_BEGUN }, 'end']);
      expect([calls, client.stats().retries]).toEqual([2, 0]);
    },
  );

  it('K4: is not, where its handler has failed, or a value has come', async () => {
    calls = 0;
    const { port, server, connections } = await serveRpc({ loops: 0 }, Service);
    const client = clientOf({ port, loops: 0 });
    const record = withRetry({ attempts: 5, delay: 1, idempotent: true }).build();
    const wrong = new Subscriber(client.send('wrong', record));
    await until(() => wrong.seen.length > 0);
    const later = new Subscriber(client.send('later', record));
    await until(() => later.seen.length > 0);
    expect(later.last).toMatchObject({ message: 'later', retryable: true });
    const stream = new Subscriber(client.send('stream', record));
    await until(() => stream.seen.length === 1);
    connections[0]!.destroy();
    await until(() => stream.seen.length === 2);
    expect(stream.last).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST' });
    await settled(() => server.stats().accepted);
    expect([calls, client.stats().retries]).toEqual([3, 0]);
  });

  it.each([
    [false, ['ERR_GEV_CONNECTION_LOST'], 1],
    [true, ['ok', 'end'], 3],
  ])(
    'K4: when its connection is lost, only as it is marked idempotent: %s',
    async (idempotent, outcome, expected) => {
      const { port, requests } = await unreliable(2, hangUp);
      const client = clientOf({ port, loops: 0 });
      const record = withRetry({ attempts: 3, delay: 1, idempotent }).build();
      const call = new Subscriber(client.send('x', record));
      await until(() => call.seen.length > 0);
      await settled(requests);
      expect(call.seen.map((each) => (each as { code?: string }).code ?? (each as string))).toEqual(outcome);
      expect(requests()).toBe(expected);
    },
  );

  it('K4: waits for a server that comes up meanwhile', async () => {
    const { port, close } = await serveEcho({ loops: 0 });
    await close();
    const client = clientOf({ port, loops: 0, reconnect: { initialDelay: 20 } });
    const call = new Subscriber(client.send('echo', withRetry({ attempts: 100, delay: 20 }).build()));
    await until(() => client.stats().retries > 0);
    await serveEcho({ loops: 0, port });
    await until(() => call.last === 'end');
    expect(call.seen).toEqual(['data', 'end']);
  });

  it('K4: not beyond its timeout, nor after close() or an abort, which end it at once', async () => {
    const { port, requests } = await unreliable(Infinity, refuse);
    const client = clientOf({ port, loops: 0 });
    const short = withRetry({ attempts: 100, delay: 10_000, maxDelay: 10_000 }).setTimeout(4_000);
    const late = new Subscriber(client.send('x', short.build()));
    await until(() => late.seen.length > 0);
    expect(late.seen).toEqual([expect.any(GevOverloadedError)]);

    const abort = new AbortController();
    const long = withRetry({ attempts: 100, delay: 10_000, maxDelay: 10_000 });
    const closed = new Subscriber(client.send('x', long.build()));
    const aborted = new Subscriber(client.send('x', long.setSignal(abort.signal).build()));
    await until(() => client.stats().retries === 2);
    abort.abort();
    expect(aborted.last).toMatchObject({ code: 'ERR_GEV_ABORTED' });
    const closing = client.close();
    expect(closed.last).toMatchObject({ code: 'ERR_GEV_CLIENT_CLOSED' });
    await closing;
    expect(requests()).toBe(3);
  });

  it('K4: refuses options that cannot be meant', () => {
    const builder = new GevRecordBuilder(1);
    expect(() => builder.setRetry({ attempts: 0 })).toThrow('retry.attempts');
    expect(() => builder.setRetry({} as never)).toThrow('retry.attempts');
    expect(() => builder.setRetry({ attempts: 1, idempotence: true } as never)).toThrow('did you mean');
  });
});
