import { describe, expect, it, jest } from '@jest/globals';
import {
  BadRequestException,
  Controller,
  Logger,
  UseFilters,
  UseInterceptors,
  type NestInterceptor,
} from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { GevExceptionFilter, OnClose, OnConnect, OnMessage } from 'nestjs-gev';
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

describe('log lines of handlers that fail', () => {
  /** What Nest's own Logger is given. */
  const nestLines = (): string[] => {
    const logged: string[] = [];
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation((line: unknown) => {
      logged.push(String(line));
    });
    onCleanup(() => error.mockRestore());
    return logged;
  };

  it('N6: @OnConnect, @OnMessage and @OnClose are logged once, by Nest if the error is unexpected', async () => {
    const logged = nestLines();

    @Controller()
    class Failing {
      @OnConnect()
      connect(): void {
        if (refusing) throw new Error('connect');
      }

      @OnMessage()
      message(@Payload() data: Buffer): void {
        throw data.toString() === 'meant' ? new RpcException('meant') : new Error('message');
      }

      @OnClose()
      close(): void {
        throw new Error('close');
      }
    }
    let refusing = false;
    const { port, lines, connections, connection } = await serve({ loops: 0 }, { controllers: [Failing] });
    const peer = (await Peer.connect(port)).read();
    peer.write('unexpected');
    await connection();
    await until(() => logged.length === 1);
    peer.write('meant');
    await until(() => lines.length === 1);
    peer.socket.end();
    await until(() => logged.length === 2);
    refusing = true;
    const refused = (await Peer.connect(port)).read();
    await until(() => refused.closed && logged.length >= 3);
    expect(connections).toHaveLength(1);
    expect(logged.slice(0, 3)).toEqual(['Error: message', 'Error: close', 'Error: connect']);
    expect(lines).toEqual([expect.stringMatching(/^Failing\.message failed on connection \d+ .*: meant$/)]);
  });

  it('N6: each handler has its own line a second, however its pattern is written', async () => {
    nestLines();

    @Controller()
    class Failing {
      @EventPattern('first')
      first(@Payload() data: any): any {
        throw new RpcException(`first fails ${data}`);
      }

      @EventPattern({ cmd: 'second', version: 2 })
      second(@Payload() data: any): any {
        throw new RpcException(`second fails ${data}`);
      }
    }
    const { port, lines } = await serveRpc({ loops: 0 }, Failing);
    const client = await RpcPeer.connect(port);
    const patterns = ['first', { cmd: 'second', version: 2 }, { version: 2, cmd: 'second' }];
    for (let index = 0; index < 300; index++) client.send({ pattern: patterns[index % 3], data: index });
    client.send({ pattern: 'none', data: 1, id: '1' });
    await client.all('1');
    await until(() => lines.length >= 4);
    expect(lines.slice(0, 2).sort()).toEqual([
      expect.stringMatching(/^The handler of "first" failed on connection .*: first fails \d+$/),
      expect.stringMatching(/^The handler of "\{\\"cmd\\":\\"second\\",.* failed on .*: second fails \d+$/),
    ]);
    const counts = lines.slice(2).map((line) => Number(/\((\d+) of this kind/.exec(line)?.[1]));
    expect(counts.sort((a, b) => a - b)).toEqual([99, 199]);
  });

  it('N6: a thousand requests that fail are a few lines with GevExceptionFilter, and answers as ever', async () => {
    const logged = nestLines();
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);

    @Controller()
    @UseFilters(new GevExceptionFilter({ log: write, warn: write, error: write }))
    class Failing {
      @MessagePattern('unexpected')
      unexpected(@Payload() data: number): never {
        throw data % 2 === 0 ? new Error('it is down') : new BadRequestException('it is not');
      }

      @MessagePattern('meant')
      meant(): never {
        throw new RpcException('meant');
      }
    }
    const { port, lines: ours } = await serveRpc({ loops: 0 }, Failing);
    const client = await RpcPeer.connect(port);
    client.send({ pattern: 'meant', data: 1, id: 'meant' });
    expect(await client.all('meant')).toMatchObject([{ err: { status: 'error', message: 'meant' } }]);
    for (let id = 0; id < 1000; id++) client.send({ pattern: 'unexpected', data: id, id: `${id}` });
    const err = { status: 'error', message: 'Internal server error' };
    expect(await client.all('999')).toMatchObject([{ err, isDisposed: true }]);
    const counted = (): number =>
      lines.reduce((sum, line) => sum + Number(/\((\d+) of this kind/.exec(line)?.[1] ?? 1), 0);
    await until(() => client.packets.length === 1001 && counted() === 1000);
    expect(lines[0]).toMatch(/^The handler of "unexpected" failed on connection \d+ .*: it is down$/);
    expect(lines.length).toBeLessThan(20);
    expect([logged, ours]).toEqual([[], []]);
  });
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
