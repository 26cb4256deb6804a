import { expect, it } from '@jest/globals';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';

it('S8: servers that begin in the very turn in which another ends all work, inline and threaded', async () => {
  for (const loops of [2, 0, 2, 1, 0, 0, 3]) {
    const service = await serve({ loops }, { message: (data) => data });
    const peer = (await Peer.connect(service.port)).read();
    peer.write('ping');
    expect(await peer.text(4)).toBe('ping');
    await service.close(); // and straight on, in the turn that told of the end
  }
});

it('S8: several servers, inline and threaded, end at once, and others begin', async () => {
  for (let round = 0; round < 3; round++) {
    const services = await Promise.all(
      [2, 0, 1].map((loops) => serve({ loops }, { message: (data) => data })),
    );
    for (const { port } of services) {
      const peer = (await Peer.connect(port)).read();
      peer.write('ping');
      expect(await peer.text(4)).toBe('ping');
    }
    await Promise.all(services.map(({ close }) => close()));
  }
});
