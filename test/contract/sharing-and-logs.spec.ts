import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Logger, UseInterceptors, type NestInterceptor } from '@nestjs/common';
import { EventPattern, Payload, RpcException } from '@nestjs/microservices';
import { OnMessage } from 'nestjs-gev';
import { delay, Observable, of, tap } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { clientOf } from '../kit/rpc-client.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

const passing: NestInterceptor = { intercept: (_, next) => next.handle() };

it('N7: of two servers that share a controller each replies in order', async () => {
  @Controller()
  class Shared {
    @OnMessage()
    @UseInterceptors(passing)
    message(@Payload() data: Buffer): Observable<string> {
      const text = data.toString();
      return of(text).pipe(delay(text === 'slow' ? 50 : 0));
    }
  }
  const first = await serve({ loops: 0 }, { controllers: [Shared] });
  const second = await serve({ loops: 0 }, { controllers: [Shared] });
  const other = (await Peer.connect(second.port)).read();
  other.write('x');
  expect(await other.text(1)).toBe('x');
  const peer = (await Peer.connect(first.port)).read();
  peer.write('slow');
  const conn = await first.connection();
  await until(() => conn.messagesReceived === 1);
  peer.write('fast');
  expect(await peer.text(8)).toBe('slowfast');
});

describe('log lines', () => {
  it('N6: an event handler that fails is logged once', async () => {
    const logged: string[] = [];
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation((line: unknown) => {
      logged.push(String(line));
    });
    onCleanup(() => error.mockRestore());

    @Controller()
    class Failing {
      @EventPattern('unexpected')
      unexpected(@Payload() data: any): any {
        throw new Error(`unexpected ${data}`);
      }

      @EventPattern('meant')
      meant(@Payload() data: any): any {
        throw new RpcException(`meant ${data}`);
      }
    }
    const { port, lines } = await serveRpc({ loops: 0 }, Failing);
    const client = await RpcPeer.connect(port);
    client.send({ pattern: 'unexpected', data: 1 }, { pattern: 'meant', data: 1 });
    await until(() => lines.length + logged.length >= 2);
    client.send({ pattern: 'none', data: 1, id: '1' });
    await client.all('1');
    expect(logged).toEqual(['Error: unexpected 1']);
    expect(lines).toEqual([
      expect.stringMatching(/^The handler of "meant" failed on connection \d+ .*: meant 1$/),
    ]);
  });

  it('N6: a connection that is cut for its output is logged, with the cause: a flood of our own', async () => {
    const { port, connection, lines } = await serve({ loops: 0, maxSendBuffer: 1 << 20 });
    await Peer.connect(port);
    const conn = await connection();
    while (conn.state === 'open') conn.trySend(Buffer.alloc(1 << 18));
    await until(() => lines.length > 0);
    expect(lines).toEqual([
      expect.stringMatching(
        /^connection \d+ .* is closed: More than maxSendBuffer \(1048576 bytes\) was sent at once/,
      ),
    ]);
    expect(conn.closeError?.code).toBe('ERR_GEV_BACKPRESSURE');
  });

  it('N6: … or a peer that does not read', async () => {
    const { port, connection, lines } = await serve({
      ...{ loops: 0, maxSendBuffer: 1 << 20, highWaterMark: 1 << 16, sendBufferSize: 4096 },
    });
    await Peer.connect(port);
    const conn = await connection();
    while (conn.state === 'open') {
      conn.trySend(Buffer.alloc(1 << 14));
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await until(() => lines.length > 0);
    expect(lines[0]).toMatch(/waited for a peer that (does not read|reads too slowly)/);
  });
});

describe('subscribers of a client', () => {
  it('U1: those that throw end no process, and other requests go on', async () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const { port } = await serveRpc({ loops: 0 }, []);
    const client = clientOf({ port, logger: { log: write, warn: write, error: write } });
    let told = 0;
    const fail = (): never => {
      throw new Error('the subscriber fails');
    };
    client.on('connect', fail);
    client.on('connect', () => told++);
    client.emit('none', 1).subscribe({ complete: fail });
    client
      .send('none', 1)
      .pipe(tap({ error: () => told++ }))
      .subscribe({ error: fail });
    await until(() => told === 2 && lines.length >= 2);
    await new Promise((resolve) => setTimeout(resolve, 20)); // RxJS would throw in a timer
    expect(lines.some((line) => line.startsWith('A listener of the client\'s "connect" event failed'))).toBe(
      true,
    );
    expect(lines.some((line) => line.startsWith('A subscriber of a request or event failed'))).toBe(true);
  });

  it('M5: many requests share one listener of a signal, which goes with the last', async () => {
    const { port } = await serveRpc({ loops: 0 }, []);
    const client = clientOf({ port });
    const { GevRecordBuilder } = await import('nestjs-gev');
    const { signal } = new AbortController();
    const add = jest.spyOn(signal, 'addEventListener');
    const remove = jest.spyOn(signal, 'removeEventListener');
    const record = new GevRecordBuilder(1).setSignal(signal).build();
    let ended = 0;
    for (let index = 0; index < 20; index++) client.send('none', record).subscribe({ error: () => ended++ });
    await until(() => ended === 20);
    expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([1, 1]);
  });
});
