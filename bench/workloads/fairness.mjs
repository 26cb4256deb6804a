import {
  fairlyLoaded,
  fairnessGevInline,
  fairnessGevThreaded,
  fairnessGevTwoLoops,
  fairnessTcp,
} from '../runner/contenders.mjs';

/**
 * What a well-behaved client, a ping every 2 ms, notices of peers that send all they can, and what a timer of the
 * server's own process does.
 */

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'ping p99 ms', metric: 'p99Millis', digits: 2 },
  { title: '× Nest TCP', metric: 'p99Millis', over: fairnessTcp.id, digits: 3 },
  { title: 'p50 ms', metric: 'p50Millis', digits: 2 },
  { title: 'max ms', metric: 'maxMillis', digits: 1 },
  { title: 'pings', metric: 'pings' },
  { title: 'timer late, p99 ms', metric: 'timerP99Millis', digits: 2 },
];
const gev = [fairnessGevInline, fairnessGevThreaded, fairnessGevTwoLoops];
const all = [fairnessTcp, ...gev].map(fairlyLoaded);

const each = (title, rest) =>
  gev.map(({ id, label }) => ({ title: `${title}, ${label}`, contender: id, ...rest }));

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'fairness',
  connections: 20,
  seconds: 4,
  quickSeconds: 1,
  cases: ({ seconds }) => [
    {
      id: 'pipelined',
      title: '20 peers with 200 pipelined requests of 2 ms each',
      contenders: all,
      load: { seconds, peers: 20, pipelined: 200, 'handler-ms': 2 },
      columns,
      targets: each('ping p99 to Nest TCP', { metric: 'p99Millis', over: fairnessTcp.id, atMost: 1 }),
    },
    {
      id: 'saturated',
      title: 'one peer that pipelines requests of 20 µs for ever',
      contenders: all,
      load: { seconds, peers: 1, pipelined: 2000, 'handler-ms': 0.02, again: 1 },
      columns,
      targets: each('ping p99 ms', { metric: 'p99Millis', atMost: 20 }),
    },
    {
      id: 'megabytes',
      title: '200 peers with 20 pipelined requests for 1 MB each',
      contenders: all,
      load: { seconds, peers: 200, pipelined: 20, 'reply-bytes': 1_000_000 },
      columns,
      targets: each('ping p99 to Nest TCP', { metric: 'p99Millis', over: fairnessTcp.id, atMost: 1 }),
    },
    {
      id: 'flooder',
      title: 'one peer that pipelines requests of nothing for ever beside 63 that ping',
      contenders: all,
      load: {
        seconds,
        'quiet-seconds': 2,
        pingers: 63,
        peers: 1,
        pipelined: 2000,
        'handler-ms': 0,
        again: 1,
      },
      columns: [
        ...columns,
        { title: 'quiet p99 ms', metric: 'quietP99Millis', digits: 2 },
        { title: '× quiet', metric: 'timesQuiet', digits: 1 },
      ],
      targets: each('ping p99 to quiet', { metric: 'timesQuiet', atMost: 10 }),
    },
    {
      id: 'empty',
      title: 'eight peers that pipeline requests of nothing for ever',
      contenders: all,
      load: { seconds, peers: 8, pipelined: 1000, 'handler-ms': 0, again: 1 },
      columns,
      targets: each('timer late, p99 ms', { metric: 'timerP99Millis', atMost: 15 }),
    },
  ],
};
