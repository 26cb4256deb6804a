import { framed } from '../runner/contenders.mjs';

/**
 * Frames: the echo of 64 bytes of content as a line and behind a 4-byte length. Every contender cuts each frame out of
 * what came, hands it to a function, and frames what that returns. The yardsticks are framing by hand over node:net,
 * with one write for all that a chunk brought or with one a message, and in plain C.
 */

const size = 64;
const throughput = 'messagesPerSecond';
const serverCpu = 'serverCpuMicros';

/** Of all cases, so their ids do not depend on the framing. */
const ids = Object.fromEntries(Object.entries(framed('line')).map(([name, { id }]) => [name, id]));

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'msgs/s', metric: throughput },
  { title: '× corked', metric: throughput, over: ids.corked },
  { title: '× joined', metric: throughput, over: ids.joined },
  { title: '× a write a message', metric: throughput, over: ids.each },
  { title: 'CPU µs/msg', metric: serverCpu, digits: 2 },
  { title: '× raw C', metric: serverCpu, over: ids.raw },
  { title: 'p50 µs', metric: 'p50Micros' },
  { title: 'p99 µs', metric: 'p99Micros' },
  { title: 'server busy %', metric: 'serverBusy', scale: 100 },
  { title: 'load busy %', metric: 'generatorBusy', scale: 100 },
];

/** With one message outstanding there is nothing to cork. @type {import('../runner/workload.mjs').Target[]} */
const targets = [
  {
    title: 'messages/s, Reactor callback, to node:net corked',
    ...{ contender: ids.core, metric: throughput, over: ids.corked, atLeast: 1.4 },
  },
  {
    title: 'server CPU per message, Reactor callback, to raw C',
    ...{ contender: ids.core, metric: serverCpu, over: ids.raw, atMost: 1.6 },
  },
  {
    title: 'messages/s, @OnMessage, to node:net corked',
    ...{ contender: ids.nest, metric: throughput, over: ids.corked, atLeast: 0.9 },
  },
  {
    title: 'messages/s, @OnMessage, to node:net with a write a message',
    ...{ contender: ids.nest, metric: throughput, over: ids.each, atLeast: 5 },
  },
];

const shapes = [
  { id: 'line-depth-16', framing: 'line', title: 'lines', depth: 16, slice: 16_384, targets },
  { id: 'length-depth-16', framing: 'length', title: '4-byte length', depth: 16, slice: 16_384, targets },
  { id: 'line-depth-1', framing: 'line', title: 'lines', depth: 1, slice: 2048, targets: [] },
  { id: 'length-depth-1', framing: 'length', title: '4-byte length', depth: 1, slice: 2048, targets: [] },
];

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'codecs',
  connections: 64,
  seconds: 2,
  quickSeconds: 0.5,
  compare: { cases: ['line-depth-16', 'length-depth-16'], contenders: [ids.core, ids.nest] },
  cases: ({ connections, seconds, warmUp }) =>
    shapes.map(({ id, framing, title, depth, slice, targets: ofShape }) => ({
      id,
      title: `codecs · ${title} · ${size} B × ${connections} connections × depth ${depth}`,
      contenders: Object.values(framed(framing)),
      load: { mode: 'echo', framing, connections, size, depth, seconds, 'warm-up': warmUp },
      slice,
      columns,
      targets: ofShape,
    })),
};
