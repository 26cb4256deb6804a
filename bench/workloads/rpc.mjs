import { gevRpcInline, gevRpcThreaded, nestTcp, nodeNetRpc, rawRpc } from '../runner/contenders.mjs';
import { workload as client } from './rpc-client.mjs';

/**
 * Nest RPC: each connection keeps `depth` requests outstanding, `sum` of five numbers in Nest's wire format; the
 * controller is the same for all, and its pattern a string or an object, which Nest's own transport finds out the hard
 * way. The yardsticks are Nest's own transport and the best that plain JavaScript does with
 * Nest's handlers. The client's side, rpc-client.mjs, is the last case.
 */

const throughput = 'messagesPerSecond';
const serverCpu = 'serverCpuMicros';
const javascriptCpu = 'mainThreadCpuMicros';

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'msgs/s', metric: throughput },
  { title: '× Nest TCP', metric: throughput, over: nestTcp.id },
  { title: '× node:net', metric: throughput, over: nodeNetRpc.id },
  { title: 'CPU µs/msg', metric: serverCpu, digits: 2 },
  { title: 'main thread µs/msg', metric: javascriptCpu, digits: 2 },
  { title: '× node:net', metric: javascriptCpu, over: nodeNetRpc.id },
  { title: 'p50 µs', metric: 'p50Micros' },
  { title: 'p99 µs', metric: 'p99Micros' },
  { title: 'server busy %', metric: 'serverBusy', scale: 100 },
  { title: 'load busy %', metric: 'generatorBusy', scale: 100 },
];

/** @type {(timesNestTcp: number) => import('../runner/workload.mjs').Target[]} */
const targets = (timesNestTcp) => [
  {
    title: 'messages/s, inline, to Nest TCP',
    contender: gevRpcInline.id,
    metric: throughput,
    over: nestTcp.id,
    atLeast: timesNestTcp,
  },
  {
    title: 'messages/s, the better mode, to node:net',
    contender: [gevRpcInline.id, gevRpcThreaded.id],
    metric: throughput,
    over: nodeNetRpc.id,
    atLeast: 1,
  },
  {
    title: 'JavaScript-thread CPU per message, threaded, to node:net',
    contender: gevRpcThreaded.id,
    metric: javascriptCpu,
    over: nodeNetRpc.id,
    atMost: 0.5,
  },
];

const shapes = [
  { id: 'depth-1', depth: 1, pattern: 'string', timesNestTcp: 2.8, slice: 2048 },
  { id: 'depth-16', depth: 16, pattern: 'string', timesNestTcp: 7, slice: 8192 },
  { id: 'depth-1-object', depth: 1, pattern: 'object', timesNestTcp: 2.8, slice: 2048 },
  { id: 'depth-16-object', depth: 16, pattern: 'object', timesNestTcp: 7, slice: 8192 },
];

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'rpc',
  connections: 64,
  seconds: 2,
  quickSeconds: 0.5,
  compare: { cases: ['depth-1', 'depth-16'], contenders: [gevRpcInline.id, gevRpcThreaded.id] },
  cases: (settings) => [
    ...shapes.map(({ id, depth, pattern, timesNestTcp, slice }) => ({
      id,
      title: `rpc · ${settings.connections} connections × depth ${depth} · ${pattern} pattern`,
      contenders: [rawRpc, nestTcp, nodeNetRpc, gevRpcInline, gevRpcThreaded],
      load: {
        mode: 'rpc',
        connections: settings.connections,
        depth,
        pattern,
        seconds: settings.seconds,
        'warm-up': settings.warmUp,
      },
      slice,
      columns,
      targets: targets(timesNestTcp),
    })),
    ...client.cases(settings),
  ],
};
