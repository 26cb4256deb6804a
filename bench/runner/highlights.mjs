import { formatMarkdownTable } from './markdown.mjs';
import { evaluate } from './statistics.mjs';
import { formatNumber } from './table.mjs';

/** What the project's README shows of all figures: what users meet, and where nothing is won. */
const HIGHLIGHTS = [
  {
    what: 'a service, 64 connections, one request at a time on each: requests/s',
    ...{ workload: 'rpc', title: '64 connections × depth 1 · object pattern' },
    ...{ ours: 'gev-rpc-inline', yardstick: 'nest-tcp', name: 'Nest `Transport.TCP`' },
  },
  {
    what: 'a client with 64 calls outstanding, both sides swapped: calls/s',
    ...{ workload: 'rpc', title: 'one client, 64 calls outstanding' },
    ...{ ours: 'gev-to-gev-rpc-inline', yardstick: 'tcp-to-nest-tcp', name: 'Nest `Transport.TCP`' },
  },
  {
    what: 'raw bytes, 64 connections, chunks of 16 KiB echoed: chunks/s',
    ...{ workload: 'echo', title: '16 KiB × 64 connections × depth 1' },
    ...{ ours: 'gev-inline', yardstick: 'node-net', name: '`node:net` without Nest' },
  },
];

/** @param {readonly import('./markdown.mjs').SavedResult[]} results */
export function formatHighlights(results) {
  const rows = HIGHLIGHTS.flatMap(({ what, workload, title, ours, yardstick, name }) => {
    const saved = results.find((result) => result.workload === workload);
    const one = saved?.cases.find((each) => each.title.endsWith(title));
    if (one === undefined) return [];
    const { samples, columns } = one;
    const [{ metric }] = columns;
    const figure = (contender, over) => evaluate(samples, { contender, metric, over });
    const [theirs, mine, ratio] = [figure(yardstick), figure(ours), figure(ours, yardstick)];
    const spread = `${ratio.median.toFixed(2)} × (${ratio.lowest.toFixed(2)}–${ratio.highest.toFixed(2)})`;
    return [[what, `${formatNumber(theirs.median)} (${name})`, formatNumber(mine.median), spread]];
  });
  return formatMarkdownTable(['', 'beside', 'nestjs-gev, inline', ''], rows);
}
