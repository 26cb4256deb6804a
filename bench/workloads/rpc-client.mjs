import { calledBy, gevRpcInline, gevRpcThreaded, nestTcp } from '../runner/contenders.mjs';

/**
 * The client of an RPC: one connection with 64 calls outstanding, in a Node process on the generator's core. Nest's pair
 * is the yardstick, this project's the goal; the mixed pairs show what swapping one side brings.
 */

const tcpToTcp = calledBy('tcp', nestTcp);
const gevToGevInline = calledBy('gev', gevRpcInline);
const gevToGevThreaded = calledBy('gev', gevRpcThreaded);
const tcpToGev = calledBy('tcp', gevRpcInline);
const gevToTcp = calledBy('gev', nestTcp);

const rate = 'messagesPerSecond';

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'calls/s', metric: rate },
  { title: '× Nest TCP', metric: rate, over: tcpToTcp.id },
  { title: 'client CPU µs/call', metric: 'clientCpuMicros', digits: 2 },
  { title: '× Nest TCP', metric: 'clientCpuMicros', over: tcpToTcp.id },
  { title: 'server CPU µs/call', metric: 'serverCpuMicros', digits: 2 },
  { title: 'p50 µs', metric: 'p50Micros' },
  { title: 'p99 µs', metric: 'p99Micros' },
  { title: 'server busy %', metric: 'serverBusy', scale: 100 },
  { title: 'client busy %', metric: 'generatorBusy', scale: 100 },
];

/** @type {import('../runner/workload.mjs').Target[]} */
const targets = [
  {
    title: 'calls/s, GevClient and GevServer, the better mode, to ClientTCP and Nest TCP',
    contender: [gevToGevInline.id, gevToGevThreaded.id],
    metric: rate,
    over: tcpToTcp.id,
    atLeast: 2.5,
  },
];

const depth = 64;

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'rpc-client',
  connections: 1,
  seconds: 2,
  quickSeconds: 0.5,
  compare: { cases: ['client'], contenders: [gevToGevInline.id] },
  cases: ({ seconds, warmUp }) => [
    {
      id: 'client',
      title: `rpc · one client, ${depth} calls outstanding`,
      contenders: [tcpToTcp, gevToGevInline, gevToGevThreaded, tcpToGev, gevToTcp],
      load: { depth, seconds, 'warm-up': warmUp },
      slice: 2048,
      columns,
      targets,
    },
  ],
};
