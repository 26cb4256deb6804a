import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { type GevConnectionLostError, GevFrameTooLongError, GevProtocolError } from 'nestjs-gev';
import { firstValueFrom, lastValueFrom, of, toArray, type Observable } from 'rxjs';
import { Peer } from '../kit/peer.js';
import { serveRpc } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { until } from '../kit/until.js';

const LIMIT = 10_000;
const answers: ((answer: string) => void)[] = [];

@Controller()
class Lengths {
  @MessagePattern('echo')
  echo(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('text')
  text(@Payload() length: number): string {
    return 'é'.repeat(length / 2);
  }

  @MessagePattern('wait')
  wait(): Promise<string> {
    return new Promise((resolve) => answers.push(resolve));
  }

  @MessagePattern('stream')
  stream(): unknown {
    return of('short', 'x'.repeat(LIMIT), 'never');
  }

  @EventPattern('note')
  note(@Payload() data: unknown): void {
    expect(data).toBeDefined();
  }
}

describe.each([0, 1])('frames that are too long, on %i loops', (loops) => {
  it('R3: a reply over maxFrameLength fails by itself: the error says length and limit', async () => {
    const service = await serveRpc({ loops, maxFrameLength: LIMIT }, Lengths);
    const client = clientOf({ port: service.port, loops });
    for (const length of [LIMIT, 400_000]) {
      const failed = await firstValueFrom(client.send('text', length)).catch((error: unknown) => error);
      expect(failed).toMatchObject({
        status: 'error',
        message: expect.stringMatching(
          /^The reply has \d+ bytes, more than maxFrameLength of the server \(10000 bytes\)$/,
        ),
      });
    }
    const streamed = await lastValueFrom(client.send('stream', '').pipe(toArray())).catch(
      (error: unknown) => error,
    );
    expect(streamed).toMatchObject({ message: expect.stringContaining('more than maxFrameLength') });
    expect(await firstValueFrom(client.send('echo', 'still here'))).toBe('still here');
    expect(service.server.stats().open).toBe(1);
    expect(service.lines[0]).toMatch(
      /A reply of .* to connection .* could not be sent: 10\d\d\d bytes are more .* \(10000 bytes\)/,
    );
  });

  it('R3: a request or event over maxFrameLength fails by itself with a GevFrameTooLongError', async () => {
    const service = await serveRpc({ loops }, Lengths);
    const client = clientOf({ port: service.port, loops, maxFrameLength: LIMIT });
    for (const length of [LIMIT, 400_000]) {
      const data = 'x'.repeat(length);
      const failures = [
        await firstValueFrom(client.send('echo', data)).catch((error: unknown) => error),
        await lastValueFrom(client.emit('note', data)).catch((error: unknown) => error),
      ];
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(GevFrameTooLongError);
        const { length: told, limit, message } = failure as GevFrameTooLongError;
        expect(told).toBeGreaterThan(length);
        expect(limit).toBe(LIMIT);
        expect(message).toMatch(`${told} bytes are more than a frame may have, maxFrameLength (10000 bytes)`);
      }
    }
    expect(await firstValueFrom(client.send('echo', 'still here'))).toBe('still here');
    expect(service.server.stats()).toMatchObject({ accepted: 1, open: 1 });
  });

  it('R3: what a connection or a broadcast is to send is measured, too', async () => {
    const service = await serveRpc({ loops, maxFrameLength: LIMIT }, Lengths);
    const peer = await Peer.connect(service.port);
    const connection = await service.connection();
    const fits = 'é'.repeat(LIMIT / 2);
    expect(() => connection.send(`${fits}x`)).toThrow(GevFrameTooLongError);
    expect(() => service.server.broadcast(`${fits}x`)).toThrow(GevFrameTooLongError);
    connection.send(fits);
    service.server.broadcast(fits);
    peer.read();
    expect(await peer.text(2 * (5 + LIMIT))).toBe(`5000#${fits}`.repeat(2));
    expect(connection.bytesSent).toBe(2 * (5 + LIMIT));
  });

  it('R3: a frame that maxSendBuffer has no room for costs no other call on its connection', async () => {
    const service = await serveRpc({ loops, maxSendBuffer: LIMIT }, Lengths);
    const client = clientOf({ port: service.port, loops, maxSendBuffer: LIMIT });
    const waiting = firstValueFrom(client.send('wait', ''));
    await until(() => answers.length === 1);
    const failure = async (source: Observable<unknown>): Promise<unknown> =>
      lastValueFrom(source).catch((error: unknown) => error);
    const length = 3 * LIMIT;
    for (let time = 0; time < 10; time++) {
      expect(await failure(client.send('text', length))).toMatchObject({
        message: expect.stringMatching(
          /^The reply has \d+ bytes, more than maxSendBuffer of the server \(10000 bytes\)$/,
        ),
      });
      const unsent = { code: 'ERR_GEV_FRAME_TOO_LONG', limit: LIMIT, option: 'maxSendBuffer' };
      expect(await failure(client.send('echo', 'x'.repeat(length)))).toMatchObject(unsent);
      expect(await failure(client.emit('note', 'x'.repeat(length)))).toMatchObject(unsent);
    }
    expect(() => service.connections[0]!.send('x'.repeat(LIMIT))).toThrow(GevFrameTooLongError);
    expect(() => service.server.broadcast('x'.repeat(LIMIT))).toThrow(/maxSendBuffer \(10000 bytes\)/);
    answers.pop()!('in time');
    expect(await waiting).toBe('in time');
    expect(service.server.stats()).toMatchObject({ accepted: 1, open: 1 });
  });

  it('R3: on the side that receives it, the error and the log say length and limit', async () => {
    const service = await serveRpc({ loops, maxFrameLength: LIMIT }, Lengths);
    const client = clientOf({ port: service.port, loops, reconnect: false });
    const lost = (await firstValueFrom(client.send('echo', 'x'.repeat(12_345))).catch(
      (error: unknown) => error,
    )) as GevConnectionLostError;
    expect(lost).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST' });
    const connection = service.connections[0]!;
    await until(() => connection.state === 'closed');
    expect(connection.closeError).toBeInstanceOf(GevProtocolError);
    const { length, limit } = connection.closeError as GevProtocolError;
    expect(length).toBeGreaterThan(12_345);
    expect(limit).toBe(LIMIT);
    expect(service.lines).toEqual([
      expect.stringMatching(
        /is closed: A frame of 12\d\d\d bytes or more is longer than maxFrameLength \(10000 bytes\)/,
      ),
    ]);

    const logged: string[] = [];
    const log = (line: string): void => void logged.push(line);
    const limited = clientOf({
      ...{ port: service.port, loops, maxFrameLength: 500, reconnect: false },
      logger: { log, warn: log, error: log },
    });
    const reply = firstValueFrom(limited.send('text', 1_000)).catch((error: unknown) => error);
    const { cause } = (await reply) as GevConnectionLostError;
    expect(cause).toBeInstanceOf(GevProtocolError);
    expect(cause).toMatchObject({ limit: 500 });
    expect((cause as GevProtocolError).length).toBeGreaterThan(500);
    expect(logged[0]).toMatch(
      /\(protocol\): A frame of \d+ bytes or more is longer than maxFrameLength \(500 bytes\)/,
    );
  });

  it('L2: a server for whose frames the hello of a client is too long is served all the same', async () => {
    const service = await serveRpc({ loops, maxFrameLength: 48 }, Lengths);
    const client = clientOf({ port: service.port, loops, reconnect: { initialDelay: 1 } });
    await client.connect();
    await until(() => client.stats().reconnects > 0);
    for (let count = 1; count <= 3; count++)
      expect(await firstValueFrom(client.send('echo', count))).toBe(count);
    await until(() => service.server.connections.size === 1);
    for (const connection of service.server.connections.values()) connection.destroy();
    await until(() => service.server.connections.size === 0);
    await until(() => client.stats().reconnects > 1);
    expect(await firstValueFrom(client.send('echo', 4))).toBe(4);
  });

  it('R3: where not even the error fits a frame, the connection ends: nobody waits in vain', async () => {
    const service = await serveRpc({ loops, maxFrameLength: 60 }, Lengths);
    const client = clientOf({ port: service.port, loops, reconnect: false });
    const failed = await firstValueFrom(client.send('text', 100)).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'ERR_GEV_CONNECTION_LOST' });
  });
});
