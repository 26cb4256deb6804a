import { describe, expect, it } from '@jest/globals';
import { FramePeer, serveEcho } from '../kit/frames.js';
import { pause, until } from '../kit/until.js';

describe.each([0, 2])('a drop-in on %i loops', (loops) => {
  it('N1: JSON that is no packet is an event that nobody handles, and the connection goes on', async () => {
    const { port, lines } = await serveEcho({ loops });
    const client = await FramePeer.connect(port);
    client.write('{}', 'null', '[]', '"x"', '5', 'true', '{"data":1}', ...Array<string>(1_000).fill('{}'));
    client.write({ pattern: 'echo', data: 'still here', id: '1' });
    expect(await client.packets(1)).toEqual([{ response: 'still here', isDisposed: true, id: '1' }]);
    expect(client.closed).toBe(false);
    expect(lines[0]).toMatch('There is no handler for the event "undefined"');
  });

  it('N2: white space in front of a length is skipped, as people and scripts leave line ends', async () => {
    const { port } = await serveEcho({ loops, incompleteFrameTimeout: 200 });
    const client = await FramePeer.connect(port);
    const text = JSON.stringify({ pattern: 'echo', data: 1, id: '1' });
    client.peer.write(`${text.length}#${text}\r\n \t${text.length}#${text}\n`);
    await client.packets(2);
    // The last line end begins no frame: the connection outlives the time limit of incomplete ones.
    await pause(500);
    client.peer.write(`${text.length}#${text}`);
    await client.packets(1);
    client.peer.write(' '.repeat(17));
    await until(() => client.closed);
  });
});
