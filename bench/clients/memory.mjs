// Peers that take a server's memory – they ask and never read, or send frames that never end – beside one well-behaved
// client that pings every few milliseconds. It stands in for gev_load: options on the command line, a report on stdout.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { caller, dial, frame, quantile } from './json-caller.mjs';

const text = { type: 'string' };
const names = [
  'port',
  'seconds',
  'peers',
  'pattern',
  'requests',
  'begin-kib',
  'trickle-kib',
  'cpu',
  'server-pid',
];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
const number = (name) => Number(values[name] ?? 0);
const PATIENCE_MS = 8_000;
const TRICKLE_MS = 100;

const residentMiB = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${values['server-pid']}/status`, 'latin1'))[1]) / 1024;

let hungUp = 0;

async function connectPeer() {
  const socket = await dial(number('port'));
  socket.on('error', () => undefined).on('close', () => hungUp++);
  return socket;
}

/** Asks, and reads nothing: Node notices a peer's end only when it reads or writes. */
async function askAndNeverRead() {
  const socket = await connectPeer();
  socket.pause();
  socket.write(frame({ pattern: values.pattern, data: 1, id: '1' }).repeat(number('requests')));
}

/** A long frame: its beginning, and then a little of it at a time. */
async function trickle() {
  const socket = await connectPeer();
  socket.resume();
  socket.write(`4000000#"${'x'.repeat(number('begin-kib') * 1024)}`);
  const piece = 'x'.repeat((number('trickle-kib') * 1024 * TRICKLE_MS) / 1000);
  for (;;) {
    await sleep(TRICKLE_MS);
    if (socket.destroyed) return;
    socket.write(piece);
  }
}

const call = caller(await dial(number('port')));
await call('ping', 0);
const before = residentMiB();
let most = before;
const watch = setInterval(() => (most = Math.max(most, residentMiB())), 20);

const pings = [];
const end = performance.now() + number('seconds') * 1000;
const behave = values.pattern === undefined ? trickle : askAndNeverRead;
for (let peer = 0; peer < number('peers'); peer++) void behave();
while (performance.now() < end) {
  const from = performance.now();
  await Promise.race([call('ping', 0), sleep(PATIENCE_MS)]);
  pings.push(performance.now() - from);
  if (pings.at(-1) >= PATIENCE_MS) break;
  await sleep(2);
}
clearInterval(watch);
pings.sort((a, b) => a - b);
const report = {
  seconds: number('seconds'),
  pings: pings.length,
  p50Millis: quantile(pings, 0.5),
  p99Millis: quantile(pings, 0.99),
  maxMillis: pings.at(-1),
  residentMiB: most,
  grownMiB: most - before,
  hungUp,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
