import { fleetGev, fleetGevShared, fleetTcp, restarted } from '../runner/contenders.mjs';

/** What clients notice of a rolling restart: of two endpoints in turn, or of one port that processes share. */

/** @type {import('../runner/workload.mjs').Column[]} */
const columns = [
  { title: 'failed', metric: 'failed' },
  { title: 'of them handled', metric: 'failedHandled' },
  { title: 'doubled', metric: 'doubled' },
  { title: 'events lost', metric: 'eventsLost' },
  { title: 'events failed', metric: 'eventsFailed' },
  { title: 'requests', metric: 'requests' },
  { title: 'events', metric: 'events' },
  { title: 'slowest close, ms', metric: 'closeMillis' },
];

const none = (contender) =>
  ['failed', 'doubled', 'eventsLost', 'eventsFailed'].map((metric) => ({
    title: `${metric}, ${contender.label}`,
    contender: contender.id,
    metric,
    atMost: 0,
  }));

const load = (seconds) => ({
  seconds: Math.max(seconds, 60),
  requests: seconds * 10_000,
  restarts: seconds * 2,
  callers: 64,
  'straggler-ms': 300,
});
const gev = restarted(fleetGev, 'gev');
const gevShared = restarted(fleetGevShared, 'gev');

/** @type {import('../runner/workload.mjs').Workload} */
export const workload = {
  name: 'restart',
  connections: 64,
  seconds: 3,
  quickSeconds: 1,
  cases: ({ seconds }) => [
    {
      id: 'two-endpoints',
      title: 'two endpoints, restarted in turn',
      contenders: [gev, restarted(fleetTcp, 'gev')],
      load: load(seconds),
      columns,
      targets: none(gev),
    },
    {
      id: 'one-port',
      title: 'one port, each successor beside the one before',
      contenders: [gevShared, restarted(fleetGevShared, 'tcp')],
      load: load(seconds),
      columns,
      targets: none(gevShared),
    },
  ],
};
