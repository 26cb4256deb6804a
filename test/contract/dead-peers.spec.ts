import { describe, expect, it } from '@jest/globals';
import type { GevClientOptions, GevServerOptions } from 'nestjs-gev';
import { fileURLToPath } from 'node:url';
import { Child } from '../kit/child.js';
import { NetworkNamespace, noNamespaces } from '../kit/network-namespace.js';

const script = fileURLToPath(new URL('../kit/children/partition.mjs', import.meta.url));
const CONFIGURED_MS = 3_000;
const liveness = {
  keepAlive: { delay: 1_000, interval: 1_000, count: 2 },
  userTimeout: CONFIGURED_MS,
} satisfies GevServerOptions & GevClientOptions;

if (noNamespaces !== undefined) console.warn(`K1 IS NOT TESTED: ${noNamespaces}`);

(noNamespaces === undefined ? describe : describe.skip).each([0, 2])('a partition, %i loops', (loops) => {
  async function start(network: NetworkNamespace, role: string, options: object): Promise<Child> {
    return Child.start([script, role, JSON.stringify(options)], network.setup);
  }

  /** Cuts the two sides off, and expects both connections of the one that watches to end in time. */
  async function expectNoticed(network: NetworkNamespace, watching: Child, port: number): Promise<void> {
    await watching.report('ready');
    network.partition(port);
    for (const kind of ['silent', 'pushed']) {
      const end = await watching.report(kind, 2 * CONFIGURED_MS);
      expect(end).toEqual({ [kind]: 'reset', code: 'ETIMEDOUT' });
    }
  }

  it('K1: a server notices within twice the configured time, whether its peer is pushed to or silent', async () => {
    const network = await NetworkNamespace.create();
    const server = await start(network, 'server', { loops, ...liveness });
    const { port } = (await server.report('port')) as { port: number };
    await start(network, 'peers', { port });
    await expectNoticed(network, server, port);
  });

  it('K1: a client notices within twice the configured time, whether its server is pushed to or silent', async () => {
    const network = await NetworkNamespace.create();
    const server = await start(network, 'silent server', {});
    const { port } = (await server.report('port')) as { port: number };
    const client = await start(network, 'clients', { loops, host: '127.0.0.1', port, ...liveness });
    await expectNoticed(network, client, port);
  });
});
