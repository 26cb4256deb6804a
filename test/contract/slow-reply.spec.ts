import { describe, expect, it } from '@jest/globals';
import { GevRecordBuilder } from 'nestjs-gev';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { firstValueFrom } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { frame, requestsIn } from '../kit/frames.js';
import { clientOf, Subscriber } from '../kit/rpc-client.js';
import { until } from '../kit/until.js';

const PIECES = 30;
const EVERY_MS = 250;

/** A server that answers its first request, a piece at a time and for longer than a probe waits, and no other one. */
async function serveSlowly(): Promise<number> {
  const server = createServer((socket: Socket) => {
    const answer = (chunk: Buffer): void => {
      const [id] = requestsIn(chunk);
      if (id === undefined) return;
      socket.off('data', answer);
      const reply = frame({ response: 'x'.repeat(1000 * PIECES), isDisposed: true, id });
      let sent = 0;
      const timer = setInterval(() => {
        socket.write(reply.subarray(sent, (sent += Math.ceil(reply.length / PIECES))));
        if (sent >= reply.length) clearInterval(timer);
      }, EVERY_MS);
      onCleanup(() => clearInterval(timer));
    };
    socket.on('data', answer);
    socket.resume();
    onCleanup(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onCleanup(() => server.close());
  return (server.address() as AddressInfo).port;
}

describe('a client whose connection is busy with one long reply', () => {
  it('K2: does not take it for dead because other requests time out and the probe is not answered', async () => {
    const port = await serveSlowly();
    const outcomes = [0, 1].map(async (loops) => {
      const client = clientOf({ port, loops, requestTimeout: 100 });
      await client.connect();
      const patient = new GevRecordBuilder(1).setTimeout(600_000).build();
      const long = new Subscriber(client.send('long', patient));
      await until(() => client.stats().inFlight === 1);
      for (let call = 0; call < 3; call++) {
        const hasty = firstValueFrom(client.send('hasty', 1));
        await expect(hasty).rejects.toMatchObject({ code: 'ERR_GEV_TIMEOUT' });
      }
      await until(() => long.last !== undefined, 'the long reply is there');
      expect(long.seen[0]).toHaveLength(1000 * PIECES);
      expect(client.stats().reconnects).toBe(0);
    });
    await Promise.all(outcomes);
  });
});
