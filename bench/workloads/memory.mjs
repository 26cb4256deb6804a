import {
  memoryBudgets,
  memoryGevInline,
  memoryGevThreaded,
  memoryGevTwoLoops,
  takenFrom,
} from '../runner/contenders.mjs';

/**
 * What a server with a heap of 128 MiB holds for peers that ask and never read, or send frames that never end, and what a
 * well-behaved client notices of them. Nest's own server is not among the contenders: without a budget of all connections
 * it would take the machine's memory.
 */

const { totalSendMiB, partialMiB } = memoryBudgets;
/** Beside the budget: Node with its heap, the code, and what the kernel's allocator keeps. */
const SEND_ALLOWANCE_MIB = 256;
const PARTIAL_ALLOWANCE_MIB = 64;

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'RSS MiB, most', metric: 'residentMiB' },
  { title: 'grown by MiB', metric: 'grownMiB' },
  { title: 'ping p99 ms', metric: 'p99Millis', digits: 2 },
  { title: 'p50 ms', metric: 'p50Millis', digits: 2 },
  { title: 'max ms', metric: 'maxMillis', digits: 1 },
  { title: 'pings', metric: 'pings' },
  { title: 'hung up on', metric: 'hungUp' },
];
const gev = [memoryGevInline, memoryGevThreaded, memoryGevTwoLoops];
const all = gev.map(takenFrom);

const each = (title, rest) =>
  gev.map(({ id, label }) => ({ title: `${title}, ${label}`, contender: id, ...rest }));
const unread = (id, title, load) => ({
  id,
  title,
  contenders: all,
  load,
  columns,
  targets: [
    ...each('RSS MiB', { metric: 'residentMiB', atMost: totalSendMiB + SEND_ALLOWANCE_MIB }),
    ...each('ping p99 ms', { metric: 'p99Millis', atMost: 25 }),
  ],
});

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'memory',
  connections: 500,
  seconds: 20,
  quickSeconds: 6,
  cases: ({ seconds }) => [
    unread('unread', `500 peers that ask for 1 MB, 60 times, and never read; ${totalSendMiB} MiB may wait`, {
      seconds,
      peers: 500,
      pattern: 'much',
      requests: 60,
    }),
    unread('unread-later', 'the same of handlers that answer when the next turn of Node has come', {
      seconds,
      peers: 500,
      pattern: 'later',
      requests: 60,
    }),
    {
      id: 'trickle',
      title: `1,000 peers with frames that never end, 120 KiB and then 10 KiB/s; ${partialMiB} MiB a loop`,
      contenders: all,
      load: { seconds, peers: 1000, 'begin-kib': 120, 'trickle-kib': 10 },
      columns,
      targets: gev.map(({ id, label, env }) => ({
        title: `grown by MiB, ${label}`,
        contender: id,
        metric: 'grownMiB',
        atMost: partialMiB * Math.max(Number(env.LOOPS), 1) + PARTIAL_ALLOWANCE_MIB,
      })),
    },
  ],
};
