import { describe, expect, it } from '@jest/globals';
import type { GevServerOptions } from 'nestjs-gev';
import { Peer } from '../kit/peer.js';
import { serve, type Service } from '../kit/serve.js';
import { until } from '../kit/until.js';

async function dial(count: number, options: GevServerOptions): Promise<Service> {
  const service = await serve(options);
  await Peer.connectAll(count, service.port);
  await until(() => service.connections.length === count, `${count} connections`);
  return service;
}

const perLoop = ({ server }: Service): number[] => server.stats().loops.map(({ connections }) => connections);

describe('load balancing', () => {
  it('S6: round-robin puts 9 connections on 4 loops as 3, 2, 2, 2', async () => {
    const service = await dial(9, { loops: 4 });
    expect(perLoop(service)).toEqual([3, 2, 2, 2]);
    const counted = [0, 0, 0, 0];
    for (const { loop } of service.connections) counted[loop]!++;
    expect(counted).toEqual([3, 2, 2, 2]);
  });

  it('S6: least-connections spreads a burst of 400 dials evenly', async () => {
    const service = await dial(400, { loops: 4, loadBalance: 'least-connections' });
    for (const connections of perLoop(service)) expect(Math.abs(connections - 100)).toBeLessThanOrEqual(1);
  });

  it('S6: least-connections fills the loop that lost connections', async () => {
    const service = await dial(8, { loops: 4, loadBalance: 'least-connections' });
    for (const connection of service.connections) if (connection.loop === 2) connection.destroy();
    await until(() => perLoop(service)[2] === 0);
    await Peer.connectAll(2, service.port);
    await until(() => service.connections.length === 10);
    expect(perLoop(service)).toEqual([2, 2, 2, 2]);
  });

  it('S6: source-hash keeps a client address on one loop', async () => {
    const service = await serve({ loops: 4, host: '0.0.0.0', loadBalance: 'source-hash' });
    const hosts = Array.from({ length: 16 }, (_, index) => `127.0.0.${index + 1}`);
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        hosts.map((localAddress) => Peer.connect({ port: service.port, host: '127.0.0.1', localAddress })),
      );
    }
    await until(() => service.connections.length === 64);
    const loopsOf = new Map<string, Set<number>>();
    for (const { remoteAddress, loop } of service.connections) {
      const loops = loopsOf.get(remoteAddress!) ?? new Set();
      loopsOf.set(remoteAddress!, loops.add(loop));
    }
    expect(loopsOf.size).toBe(16);
    for (const loops of loopsOf.values()) expect(loops.size).toBe(1);
    expect(new Set(service.connections.map(({ loop }) => loop)).size).toBeGreaterThan(1);
  });

  it("S6: 'kernel' has every loop accept for itself", async () => {
    const service = await dial(200, { loops: 2, loadBalance: 'kernel' });
    const [first, second] = perLoop(service);
    expect(first! + second!).toBe(200);
    expect(Math.min(first!, second!)).toBeGreaterThan(0);
  });
});
