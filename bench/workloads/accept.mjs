import { gevInline, gevThreaded, nodeNet, rawEpoll } from '../runner/contenders.mjs';

/**
 * Accept: thousands of clients dial at once, as they do after a restart, and each counts from its connect() until one
 * byte of its own has come back. The first burst meets code not compiled yet and a heap not grown yet; the second shows
 * the server as it is from then on. A full accept queue drops SYNs, which are sent again a second later: node:net's
 * default backlog is 511.
 */

const rate = 'connectionsPerSecond';

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'connections/s', metric: rate },
  { title: '× node:net', metric: rate, over: nodeNet.id },
  { title: 'served', metric: 'served' },
  { title: 'failed', metric: 'failed' },
  { title: 'timed out', metric: 'timedOut' },
  { title: 'CPU µs/connection', metric: 'serverCpuMicros', digits: 1 },
  { title: '× raw C', metric: 'serverCpuMicros', over: rawEpoll.id },
  { title: 'p50 ms', metric: 'p50Micros', scale: 0.001 },
  { title: 'p99 ms', metric: 'p99Micros', scale: 0.001 },
  { title: 'max ms', metric: 'maxMicros', scale: 0.001 },
  { title: 'load busy %', metric: 'generatorBusy', scale: 100 },
];

const targets = [gevInline, gevThreaded].map(({ id, label }) => ({
  title: `connections/s, ${label}`,
  contender: id,
  metric: rate,
  atLeast: 20_000,
}));

const bursts = [
  { id: 'first', title: 'the first burst a server sees', rehearsals: 0 },
  { id: 'second', title: 'its second burst', rehearsals: 1 },
];

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'accept',
  connections: 5000,
  seconds: 15,
  quickSeconds: 15,
  cases: ({ connections, seconds }) =>
    bursts.map(({ id, title, rehearsals }) => ({
      id,
      title: `accept · ${connections.toLocaleString('en')} connections dialled at once · ${title}`,
      contenders: [rawEpoll, nodeNet, gevInline, gevThreaded],
      load: { mode: 'accept', connections, seconds },
      rehearsals,
      columns,
      targets,
    })),
};
