import {
  gevInline,
  gevInlineBorrowed,
  gevInlinePiped,
  gevThreaded,
  nodeNet,
  rawEpoll,
} from '../runner/contenders.mjs';

/**
 * Echo: each connection keeps `depth` messages outstanding, and every byte is compared. The yardsticks are what Node
 * gives (node:net without Nest) and what the kernel gives (plain C).
 */

const throughput = 'messagesPerSecond';
const serverCpu = 'serverCpuMicros';
const javascriptCpu = 'mainThreadCpuMicros';

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'msgs/s', metric: throughput },
  { title: '× node:net', metric: throughput, over: nodeNet.id },
  { title: 'CPU µs/msg', metric: serverCpu, digits: 2 },
  { title: '× raw C', metric: serverCpu, over: rawEpoll.id },
  { title: 'main thread µs/msg', metric: javascriptCpu, digits: 2 },
  { title: '× node:net', metric: javascriptCpu, over: nodeNet.id },
  { title: 'p50 µs', metric: 'p50Micros' },
  { title: 'p99 µs', metric: 'p99Micros' },
  { title: 'server busy %', metric: 'serverBusy', scale: 100 },
  { title: 'load busy %', metric: 'generatorBusy', scale: 100 },
];

/** @type {Record<string, import('../runner/workload.mjs').Target[]>} */
const targets = {
  '64-depth-1': [
    {
      title: 'messages/s, inline, to node:net',
      contender: gevInline.id,
      metric: throughput,
      over: nodeNet.id,
      atLeast: 1.3,
    },
    {
      title: 'server CPU per message, inline, to raw C',
      contender: gevInline.id,
      metric: serverCpu,
      over: rawEpoll.id,
      atMost: 1.25,
    },
    {
      title: 'JavaScript-thread CPU per message, threaded, to node:net',
      contender: gevThreaded.id,
      metric: javascriptCpu,
      over: nodeNet.id,
      atMost: 0.25,
    },
  ],
  '64-depth-16': [
    {
      title: 'messages/s, inline, to node:net',
      contender: gevInline.id,
      metric: throughput,
      over: nodeNet.id,
      atLeast: 1.25,
    },
  ],
  '16k-depth-1': [
    {
      title: 'server CPU per message, inline, to raw C',
      contender: gevInline.id,
      metric: serverCpu,
      over: rawEpoll.id,
      atMost: 1.3,
    },
    {
      title: 'server CPU per message, inline, copy: false, to raw C',
      contender: gevInlineBorrowed.id,
      metric: serverCpu,
      over: rawEpoll.id,
      atMost: 1.3,
    },
  ],
};

const shapes = [
  { id: '64-depth-1', size: 64, depth: 1, slice: 2048 },
  { id: '64-depth-16', size: 64, depth: 16, slice: 16_384 },
  { id: '16k-depth-1', size: 16_384, depth: 1, slice: 1024 },
];

const formatSize = (bytes) => (bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`);

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'echo',
  connections: 64,
  seconds: 2,
  quickSeconds: 0.5,
  compare: { cases: ['64-depth-1', '64-depth-16'], contenders: [gevInline.id, gevThreaded.id] },
  cases: ({ connections, seconds, warmUp }) =>
    shapes.map(({ id, size, depth, slice }) => ({
      id,
      title: `echo · ${formatSize(size)} × ${connections} connections × depth ${depth}`,
      contenders: [rawEpoll, nodeNet, gevInline, gevInlineBorrowed, gevInlinePiped, gevThreaded],
      load: { mode: 'echo', connections, size, depth, seconds, 'warm-up': warmUp },
      slice,
      columns,
      targets: targets[id],
    })),
};
