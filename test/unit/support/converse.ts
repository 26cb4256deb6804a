import { NestFactory } from '@nestjs/core';
import { type CustomTransportStrategy, type MicroserviceOptions, type Server } from '@nestjs/microservices';
import { connect } from 'node:net';
import { onCleanup } from '../../kit/cleanup.js';
import { Deframer, frame } from '../../kit/rpc.js';
import { until } from '../../kit/until.js';
import { Journal, SubjectModule } from './rpc-subject.js';

/** A packet that is sent. */
export interface Sent {
  readonly pattern?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly metadata?: unknown;
}

/** How a server answered a conversation: the texts of its replies by the JSON text of their id, in order. */
export interface Answers {
  readonly replies: ReadonlyMap<string, readonly string[]>;
  readonly events: readonly unknown[];
}

/** The id of a request, as what it is known by: JSON text. */
export const idOf = ({ id }: Sent): string => JSON.stringify(id);

/** Whether a reply is the last one. */
export const isLast = (text: string): boolean => /"isDisposed":true|"status":"error","err"/.test(text);

/**
 * Has a server of this strategy answer packets that come in chunks of these sizes, in turn.
 *
 * @param silent ids of requests that get no last reply
 */
export async function converse(
  strategy: CustomTransportStrategy & Pick<Server, 'addHandler' | 'unwrap'>,
  packets: readonly Sent[],
  chunkSizes: readonly number[],
  silent: ReadonlySet<string> = new Set(),
): Promise<Answers> {
  // No decorated handler can fail like this: Nest's proxies catch everything.
  strategy.addHandler('handler throws', () => {
    throw new Error('sync');
  });
  strategy.addHandler('handler rejects', () => Promise.reject(new Error('async')));
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(SubjectModule, {
    strategy,
    logger: false,
  });
  onCleanup(() => app.close());
  await app.listen();

  const replies = new Map<string, string[]>();
  const ended = new Set<string>();
  const deframer = new Deframer();
  const socket = connect(portOf(strategy), '127.0.0.1');
  onCleanup(() => socket.destroy());
  socket.on('data', (chunk) => {
    for (const text of deframer.push(chunk)) {
      const id = idOf(JSON.parse(text) as Sent);
      replies.set(id, [...(replies.get(id) ?? []), text]);
      if (isLast(text)) ended.add(id);
    }
  });
  let rest = Buffer.from(packets.map(frame).join(''));
  for (let index = 0; rest.length > 0; index++) {
    const size = chunkSizes[index % chunkSizes.length]!;
    socket.write(rest.subarray(0, size));
    rest = rest.subarray(size);
    if (index % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const awaited = packets.filter(({ id }) => id !== undefined).map(idOf);
  await until(() => awaited.every((id) => ended.has(id) || silent.has(id)), 'every request is answered');
  const { events } = app.get(Journal);
  await until(() => events.length >= handledEvents(packets), 'every event is handled');
  return { replies, events };
}

/** How many of the packets, requests included, are for a handler of events. */
function handledEvents(packets: readonly Sent[]): number {
  return packets.filter(({ pattern }) => JSON.stringify(pattern)?.includes('event')).length;
}

function portOf(strategy: Pick<Server, 'unwrap'>): number {
  type Addressed = { address(): { port: number } };
  return ('address' in strategy ? (strategy as unknown as Addressed) : strategy.unwrap<Addressed>()).address()
    .port;
}
