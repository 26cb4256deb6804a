import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { listenBare } from '../kit/bare-reactor.js';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { serveRpc } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { serve } from '../kit/serve.js';
import { block, spin, until } from '../kit/until.js';

const SLOW_MS = 5;

/** How often Node's loop has gone round. */
function rounds(): () => number {
  let count = 0;
  let timer: NodeJS.Immediate;
  const look = (): void => {
    count++;
    timer = setImmediate(look);
  };
  look();
  onCleanup(() => clearImmediate(timer));
  return () => count;
}

/** What is called many times, slowly; keeps in which round of Node's loop each call was. */
class Slow {
  readonly calls: number[] = [];
  private readonly round = rounds();

  readonly call = (): void => {
    this.calls.push(this.round());
    spin(SLOW_MS);
  };

  /** The most calls within one round. */
  get most(): number {
    const counts = new Map<number, number>();
    for (const round of this.calls) counts.set(round, (counts.get(round) ?? 0) + 1);
    return Math.max(...counts.values());
  }
}

/** 10 ms more than the call itself. */
const AT_MOST = 1 + 10 / SLOW_MS;

describe.each([0, 1])('one callback into JavaScript, on %i loops', (loops) => {
  it('F2: runs no more timers that are due together than there is time for', async () => {
    const { server } = await serve({ loops });
    const slow = new Slow();
    for (let index = 0; index < 40; index++) server.runAfter(20, slow.call);
    block(50);
    await until(() => slow.calls.length === 40);
    expect(slow.most).toBeLessThanOrEqual(AT_MOST);
  });

  it('F2: brings a bare reactor no more messages than there is time for', async () => {
    const slow = new Slow();
    const { reactor, port } = await listenBare(loops, slow.call);
    const peers = await Peer.connectAll(40, port);
    await until(() => reactor.connections.size === 40);
    for (const peer of peers) peer.write('x');
    block(50);
    await until(() => slow.calls.length === 40);
    expect(slow.most).toBeLessThanOrEqual(AT_MOST);
  });

  it('F2: brings the subscribers of a client no more replies than there is time for', async () => {
    @Controller()
    class Echo {
      @MessagePattern('echo')
      echo(@Payload() data: unknown): unknown {
        return data;
      }
    }
    const { port } = await serveRpc({ loops: 1 }, Echo);
    const client = clientOf({ port, loops });
    await firstValueFrom(client.send('echo', 1));
    const slow = new Slow();
    for (let index = 0; index < 40; index++) client.send('echo', index).subscribe(slow.call);
    await until(() => slow.calls.length === 40);
    expect(slow.most).toBeLessThanOrEqual(AT_MOST);
  });

  it('F2: learns how long what handlers do later takes', async () => {
    const { server } = await serve({ loops });
    const slow = new Slow();
    for (let index = 0; index < 200; index++) {
      server.runAfter(20, async () => {
        await Promise.resolve();
        slow.call();
      });
    }
    block(50);
    await until(() => slow.calls.length === 200, '200 calls', 30_000);
    expect(slow.most).toBeLessThanOrEqual(32); // of the first call, of which nothing is known
    expect(new Set(slow.calls).size).toBeGreaterThan(100);
  });
});
