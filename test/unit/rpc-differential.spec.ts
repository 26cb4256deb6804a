import { describe, expect, it } from '@jest/globals';
import { ServerTCP } from '@nestjs/microservices';
import { GevServer } from '../../src/server/gev.server.js';
import { random } from '../kit/random.js';
import { conversation } from './support/conversation.js';
import { type Answers, converse, idOf, isLast, type Sent } from './support/converse.js';

const UNSERIALIZABLE = '"err":{"status":"error","message":"The reply could not be serialized"}';
const HIDDEN = '"err":{"status":"error","message":"Internal server error"}';
const unserializable = ['BigInt', 'circular', 'toJSON that throws'];

/** A difference from Nest's server that is meant: which requests it concerns, what Nest says, what we say. */
interface Difference {
  readonly name: string;
  readonly concerns: (sent: Sent) => boolean;
  readonly nest: (id: string) => readonly string[];
  readonly ours: (id: string) => readonly string[];
}

const asksFor = (patterns: readonly string[], names: readonly string[]) => (sent: Sent) =>
  patterns.includes(sent.pattern as string) && names.includes(sent.data as string);

const differences: readonly Difference[] = [
  {
    name: 'a reply that cannot be serialized: Nest leaves the caller waiting, we answer with an error',
    concerns: asksFor(['value', 'promised value', 'observed value'], unserializable),
    nest: () => [],
    ours: (id) => [`{${UNSERIALIZABLE},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'the same for a value that comes alone before the end of its stream',
    concerns: asksFor(['value later'], unserializable),
    nest: () => [],
    ours: (id) => [`{${UNSERIALIZABLE},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'a value of a stream that cannot be serialized: Nest leaves it out, we end the stream',
    concerns: asksFor(['value amid'], unserializable),
    nest: (id) => [`{"response":"first","id":${id}}`, `{"response":"last","isDisposed":true,"id":${id}}`],
    ours: (id) => [`{"response":"first","id":${id}}`, `{${UNSERIALIZABLE},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'an error that cannot be serialized: silence from Nest, an error from us',
    concerns: asksFor(['throw', 'reject', 'fail'], ['a BigInt as error']),
    nest: () => [],
    ours: (id) => [`{${UNSERIALIZABLE},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'the same in the midst of a stream',
    concerns: asksFor(['fail later'], ['a BigInt as error']),
    nest: (id) => [`{"response":1,"id":${id}}`, `{"response":2,"id":${id}}`],
    ours: (id) => [
      `{"response":1,"id":${id}}`,
      `{"response":2,"id":${id}}`,
      `{${UNSERIALIZABLE},"isDisposed":true,"id":${id}}`,
    ],
  },
  {
    name: 'an Error without fields: Nest sends {}, we say that there was an error',
    concerns: asksFor(['throw', 'reject', 'fail'], ['a blank Error']),
    nest: (id) => [`{"err":{},"isDisposed":true,"id":${id}}`],
    ours: (id) => [`{${HIDDEN},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'the same in the midst of a stream (blank)',
    concerns: asksFor(['fail later'], ['a blank Error']),
    nest: (id) => [
      `{"response":1,"id":${id}}`,
      `{"response":2,"id":${id}}`,
      `{"err":{},"isDisposed":true,"id":${id}}`,
    ],
    ours: (id) => [
      `{"response":1,"id":${id}}`,
      `{"response":2,"id":${id}}`,
      `{${HIDDEN},"isDisposed":true,"id":${id}}`,
    ],
  },
  {
    name: 'a handler that is no decorated method and fails: silence from Nest, an error from us',
    concerns: ({ pattern }) => pattern === 'handler throws' || pattern === 'handler rejects',
    nest: () => [],
    ours: (id) => [`{${HIDDEN},"isDisposed":true,"id":${id}}`],
  },
  {
    name: 'a request without pattern and data: Nest takes it for an event, we say that nobody handles it',
    concerns: ({ pattern, data }) => pattern === undefined && data === undefined,
    nest: () => [],
    ours: (id) => [
      `{"id":${id},"status":"error","err":"There is no matching message handler defined in the remote service."}`,
    ],
  },
  {
    name: 'a text pattern that reads as a number: Nest finds the handler of the number, we that of the text',
    concerns: ({ pattern }) => pattern === '7.0',
    nest: (id) => [`{"response":["seven",1],"isDisposed":true,"id":${id}}`],
    ours: (id) => [`{"response":["literal",1],"isDisposed":true,"id":${id}}`],
  },
];

const identity = { serialize: (value: unknown) => value, deserialize: (value: unknown) => value };

function fastPath(loops: number): GevServer {
  return new GevServer({ loops, host: '127.0.0.1', port: 0 });
}

function compatiblePath(loops: number): GevServer {
  const server = new GevServer({
    loops,
    host: '127.0.0.1',
    port: 0,
    serializer: { serialize: identity.serialize },
    deserializer: { deserialize: identity.deserialize },
  });
  server.setOnProcessingStartHook((_transport, _context, done) => void done());
  server.setOnProcessingEndHook(() => undefined);
  return server;
}

const sorted = (replies: Answers['replies']): unknown[] => [...replies].sort();

describe.each([0, 2])('a thousand packets, on %i loops', (loops) => {
  it.each([1, 2, 3])(
    "P2: get the replies of Nest's own server on both of our paths (seed %i)",
    async (seed) => {
      const packets = conversation(seed);
      const below = random(seed + 1_000);
      const chunks = Array.from({ length: 50 }, () => 1 + below(below(4) === 0 ? 20 : 8_000));
      const requests = new Map(
        packets.filter(({ id }) => id !== undefined).map((sent) => [idOf(sent), sent]),
      );
      const differenceOf = (sent: Sent) => differences.find(({ concerns }) => concerns(sent));
      const silent = new Set<string>();
      for (const [id, sent] of requests) {
        if (differenceOf(sent)?.nest(id).some(isLast) === false) silent.add(id);
      }

      const nest = await converse(new ServerTCP({ host: '127.0.0.1', port: 0 }), packets, chunks, silent);
      const fast = await converse(fastPath(loops), packets, chunks);
      const compatible = await converse(compatiblePath(loops), packets, chunks);

      const expected = new Map(nest.replies);
      for (const [id, sent] of requests) {
        const difference = differenceOf(sent);
        if (difference === undefined) continue;
        expect([difference.name, nest.replies.get(id) ?? []]).toEqual([difference.name, difference.nest(id)]);
        expected.set(id, difference.ours(id));
      }
      expect(expected.size).toBe(requests.size);
      expect(sorted(fast.replies)).toEqual(sorted(expected));
      expect(sorted(compatible.replies)).toEqual(sorted(expected));
      expect(fast.events).toEqual(nest.events);
      expect(compatible.events).toEqual(nest.events);
    },
  );
});

it('P2: every difference that is named occurs among the packets', () => {
  const packets = [1, 2, 3].flatMap(conversation).filter((sent) => sent.id !== undefined);
  for (const { name, concerns } of differences) expect([name, packets.some(concerns)]).toEqual([name, true]);
});
