import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import fc from 'fast-check';
import { nestJson } from 'nestjs-gev';
import { Peer } from '../kit/peer.js';
import { serve } from '../kit/serve.js';
import { until } from '../kit/until.js';

@Controller()
class EchoController {
  @MessagePattern('echo')
  byName(@Payload() data: unknown): unknown {
    return { data };
  }

  @MessagePattern({ cmd: 'echo' })
  byCommand(@Payload() data: unknown): unknown {
    return { data };
  }
}

const UNHANDLED = 'There is no matching message handler defined in the remote service.';
const JSON_VALUE = fc.jsonValue({ maxDepth: 3 });

/** Texts that differ from what Nest's clients write in just those places that a look for the parts could get wrong. */
const TRAPS = [
  '{"pattern":"echo","data":1,"metadata":{"a":1},"id":"1"}',
  '{"pattern":"echo","data":1,"data":2,"id":"1"}',
  '{"pattern":"echo","data":"x","id":"2","id":"1"}',
  '{"pattern":"echo","pattern":"none","data":1,"id":"1"}',
  '{"pattern":"none","pattern":"echo","data":1,"id":"1"}',
  '{"pattern":"echo","data":{"id":"no"},"id":"1"}',
  '{"pattern":"echo","data":",\\"id\\":\\"2\\"}","id":"1"}',
  '{"pattern":"echo","data":[",","id"],"id":"1"}',
  '{"pattern":{"cmd":"echo"},"data":{"pattern":"none"},"id":"1"}',
  '{"pattern":{"cmd":"echo","cmd":"none"},"data":1,"id":"1"}',
  '{"pattern":{"cmd":"none","cmd":"echo"},"data":1,"id":"1"}',
  '{"pattern":"echo", "data":1,"id":"1"}',
  '{"pattern":"echo","data": 1 ,"id":"1"}',
  '{"id":"1","pattern":"echo","data":{"id":"2"}}',
  '{"pattern":"echo","data":null,"id":"1"}',
  '{"pattern":"{\\"cmd\\":\\"echo\\"}","data":1,"id":"1"}',
  '{"pattern":"echo","data":{"__proto__":{"id":"2"}},"id":"1"}',
];

/** Texts that are no JSON, though a look for their parts finds some. */
const BROKEN = [
  '{"pattern":"echo","data":{"a":1,"id":"1"}',
  '{"pattern":"echo","data":,"id":"1"}',
  '{"pattern":"echo","data":1,,"id":"1"}',
  '{"pattern":{"cmd" "echo"},"data":1,"id":"1"}',
  '{"pattern":{x},"data":1,"id":"1"}',
];

describe.each([0, 2])('the parts of a packet, found on %i loops', (loops) => {
  const start = async (): Promise<Peer> => {
    const { port } = await serve({ loops, codec: nestJson() }, { controllers: [EchoController] });
    return (await Peer.connect(port)).read();
  };

  it('R1: are what a JSON parser finds, whatever the packet looks like', async () => {
    const peer = await start();
    for (const text of TRAPS) await agrees(peer, text);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<unknown>('echo', { cmd: 'echo' }, 'none', { cmd: 'none' }, 7),
        JSON_VALUE,
        fc.stringMatching(/^[\w-]{1,12}$/),
        fc.option(JSON_VALUE, { nil: undefined }),
        (pattern, data, id, metadata) => agrees(peer, JSON.stringify({ pattern, data, metadata, id })),
      ),
      { numRuns: 300, seed: 7 },
    );
  });

  it.each(BROKEN)('R3: %s ends the connection', async (text) => {
    const peer = await start();
    await agrees(peer, TRAPS[0]!); // the pattern is known by now
    peer.write(frame(text));
    await until(() => peer.closed);
  });
});

const frame = (text: string): string => `${text.length}#${text}`;

/** The server's answer to a packet is that to the packet as JSON.parse reads it. */
async function agrees(peer: Peer, text: string): Promise<void> {
  const packet = JSON.parse(text) as { pattern: unknown; data?: unknown; id: string };
  const pattern = typeof packet.pattern === 'string' ? packet.pattern : JSON.stringify(packet.pattern);
  const handled = pattern === 'echo' || pattern === '{"cmd":"echo"}';
  const expected = handled
    ? JSON.stringify({ response: { data: packet.data }, isDisposed: true, id: packet.id })
    : JSON.stringify({ id: packet.id, status: 'error', err: UNHANDLED });
  peer.write(frame(text));
  expect(await peer.text(Buffer.byteLength(frame(expected)))).toBe(frame(expected));
}
