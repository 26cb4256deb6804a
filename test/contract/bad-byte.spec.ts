import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { GevProtocolError, nestJson, type GevServerOptions } from 'nestjs-gev';
import { constants } from 'node:os';
import { frame, FramePeer } from '../kit/frames.js';
import { serve, type Service } from '../kit/serve.js';
import { pause, until } from '../kit/until.js';

const never = new Promise<unknown>(() => undefined);

@Controller()
class Answers {
  @MessagePattern('now')
  now(@Payload() data: unknown): unknown {
    return data;
  }

  @MessagePattern('later')
  async later(@Payload() data: unknown): Promise<unknown> {
    await pause(50);
    return data;
  }

  @MessagePattern('never')
  never(): Promise<unknown> {
    return never;
  }
}

const start = (options: GevServerOptions): Promise<Service> =>
  serve({ codec: nestJson(), ...options }, { controllers: [Answers] });

const ids = Array.from({ length: 10 }, (_, index) => String(index));
const requests = (pattern: string): Buffer =>
  Buffer.concat(ids.map((id) => frame({ pattern, data: id, id })));

describe.each([0, 2])('what is no frame, behind valid ones, on %i loops', (loops) => {
  describe.each(['now', 'later'])('to handlers that answer %s', (pattern) => {
    it.each([
      ['letters', 'oops', constants.errno.EBADMSG],
      ['a frame that is too long', '67108865#{', constants.errno.EMSGSIZE],
      ['a frame without JSON', '3#{a}', undefined],
    ])('N2: replies to valid frames before a bad byte arrive before the close: %s', async (_, bad, errno) => {
      for (const behind of ['', frame({ pattern, data: 'behind', id: 'behind' }), 'x'.repeat(300_000)]) {
        const service = await start({ loops });
        const client = await FramePeer.connect(service.port);
        const connection = await service.connection();
        client.peer.write(Buffer.concat([requests(pattern), Buffer.from(bad), Buffer.from(behind)]));
        await until(() => client.closed && connection.state === 'closed', 'the connection has ended');
        expect(client.peer.events).toEqual(['end', 'close']);
        const replies = client.texts.map((text) => JSON.parse(text) as unknown);
        expect(replies).toEqual(ids.map((id) => ({ response: id, isDisposed: true, id })));
        expect(connection.closeReason).toBe('protocol');
        if (errno !== undefined) {
          expect(connection.closeError).toBeInstanceOf(GevProtocolError);
          expect(connection.closeError).toMatchObject({ errno });
        }
        expect(service.lines).toHaveLength(1);
      }
    });
  });

  it('N2: requests that wait for their turn when a bad byte comes are answered, too', async () => {
    const service = await start({ loops, concurrency: 1 });
    const client = await FramePeer.connect(service.port);
    client.peer.write(Buffer.concat([requests('later'), Buffer.from('oops')]));
    await until(() => client.closed);
    expect(client.texts).toHaveLength(ids.length);
  });

  it('N2: a reply that does not come holds a connection for closeTimeout, whatever its peer sends', async () => {
    const service = await start({ loops, closeTimeout: 300, drainTimeout: 50 });
    const client = await FramePeer.connect(service.port);
    const connection = await service.connection();
    client.write({ pattern: 'now', data: 1, id: '1' }, { pattern: 'never', data: 2, id: '2' });
    client.peer.write('oops');
    const started = performance.now();
    const flood = setInterval(() => client.peer.write('x'.repeat(100_000)), 10);
    await until(() => client.closed && connection.state === 'closed', 'the connection has ended');
    clearInterval(flood);
    expect(performance.now() - started).toBeGreaterThanOrEqual(299);
    expect(client.texts).toHaveLength(1);
    expect(connection.closeReason).toBe('protocol');
    expect(connection.closeError).toMatchObject({ errno: constants.errno.EBADMSG });
  });
});
