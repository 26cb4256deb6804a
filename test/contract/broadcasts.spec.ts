import { describe, expect, it } from '@jest/globals';
import type { GevConnection } from 'nestjs-gev';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

describe.each([0, 2])('a broadcast on %i loops', (loops) => {
  async function three() {
    const service = await serve({ loops });
    const peers = await Peer.connectAll(3, service.port);
    const conns = await Promise.all([0, 1, 2].map((index) => service.connection(index)));
    const peerOf = (conn: GevConnection): Peer => peers.find(({ port }) => port === conn.remotePort)!.read();
    return { service, conns: conns as [GevConnection, GevConnection, GevConnection], peerOf };
  }

  it('W1: goes to the connections given, each once', async () => {
    const { service, conns, peerOf } = await three();
    const [first, second, third] = conns;
    expect(service.server.broadcast('a', [first, third, first])).toBe(2);
    expect(service.server.broadcast('b', new Set([second]))).toBe(1);
    expect(service.server.broadcast('c', new Map([['x', third]]).values())).toBe(1);
    expect(service.server.broadcast('d', [])).toBe(0);
    expect(service.server.broadcast('.')).toBe(3);
    const texts = [peerOf(first).text(2), peerOf(second).text(2), peerOf(third).text(3)];
    expect(await Promise.all(texts)).toEqual(['a.', 'b.', 'ac.']);
  });

  it('W1: leaves out connections that are closed, and those of another server', async () => {
    const { service, conns, peerOf } = await three();
    const other = await serve({ loops });
    await Peer.connect(other.port);
    const foreign = await other.connection();
    conns[0].destroy();
    await until(() => conns[0].state === 'closed');
    expect(service.server.broadcast('x', [...conns, foreign])).toBe(2);
    expect(service.server.broadcast('.')).toBe(2);
    expect(await peerOf(conns[1]).text(2)).toBe('x.');
    expect(foreign.bytesSent).toBe(0);
  });

  it('U1: what is neither connections nor a function is refused, and the remedy named', async () => {
    const { service, conns } = await three();
    expect(() => service.server.broadcast('x', conns[0] as never)).toThrow(
      expect.objectContaining({ code: 'ERR_GEV_HANDLER', message: expect.stringContaining('use send()') }),
    );
    expect(service.server.broadcast('x', undefined)).toBe(3);
  });
});
