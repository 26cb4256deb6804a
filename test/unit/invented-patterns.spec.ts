import { describe, expect, it } from '@jest/globals';
import type { GevNetworkAddress } from '../../src/core/address.js';
import type { Reactor } from '../../src/core/reactor.js';
import { GevServer } from '../../src/server/gev.server.js';
import { onCleanup } from '../kit/cleanup.js';
import { FramePeer } from '../kit/frames.js';

/** Notes the number of each packet's pattern: 0 where the loop has none for it. */
class RouteSpy extends GevServer {
  readonly routes: number[] = [];

  protected override createReactor(...[options, events]: Parameters<GevServer['createReactor']>): Reactor {
    const onText = events.onText.bind(events);
    events.onText = (connection, text, route, dataStart, idLength) => {
      this.routes.push(route);
      onText(connection, text, route, dataStart, idLength);
    };
    return super.createReactor(options, events);
  }
}

describe.each([0, 2])('patterns on %i loops', (loops) => {
  it('M5: 2,000 that a peer invents do not cost those that are handled their short way', async () => {
    const server = new RouteSpy({ host: '127.0.0.1', port: 0, loops });
    const handler = (data: unknown): Promise<never> => Promise.resolve(data as never);
    server.addHandler('late', handler);
    server.addHandler({ cmd: 'late' }, handler);
    await new Promise((resolve) => server.listen(resolve));
    onCleanup(() => server.close());
    const { port } = server.address() as GevNetworkAddress;
    const peer = await FramePeer.connect(port);
    const invented = Array.from({ length: 2_000 }, (_, i) => ({ pattern: `${i}`, data: 1, id: `${i}` }));
    peer.write(...invented);
    await peer.packets(invented.length);
    // On each loop: connections are spread.
    for (let each = 0; each < Math.max(loops, 1); each++) {
      const late = await FramePeer.connect(port);
      late.write({ pattern: 'late', data: 'a', id: '1' }, { pattern: { cmd: 'late' }, data: 'b', id: '2' });
      expect((await late.packets(2)).map(({ response }) => response as unknown)).toEqual(['a', 'b']);
    }
    expect(server.routes.slice(0, invented.length)).toContain(0);
    expect(server.routes.slice(invented.length)).not.toContain(0);
  });
});
