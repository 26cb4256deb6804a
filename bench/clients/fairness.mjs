// One well-behaved client, a ping every few milliseconds, beside peers that pipeline. It stands in for gev_load: options on
// the command line, a report on stdout.
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { caller, dial, frame, quantile } from './json-caller.mjs';

const text = { type: 'string' };
const names = ['port', 'seconds', 'peers', 'pipelined', 'handler-ms', 'again', 'cpu', 'server-pid'];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
const number = (name) => Number(values[name] ?? 0);
const HASH = 0x23;

/** Pipelines; with --again it sends as many requests as were answered, for ever. */
async function pipeline() {
  const socket = await dial(number('port'));
  const request = frame({ pattern: 'work', data: number('handler-ms'), id: '1' });
  const count = number('pipelined');
  let answered = 0;
  socket.on('data', (chunk) => {
    for (const byte of chunk) if (byte === HASH) answered++;
    if (number('again') === 0 || answered < count / 2) return;
    socket.write(request.repeat(answered));
    answered = 0;
  });
  return () => socket.write(request.repeat(count));
}

/** What has not come by then has waited so long at least. */
const PATIENCE_MS = 8_000;

const call = caller(await dial(number('port')));
await call('work', 0);
const starts = await Promise.all(Array.from({ length: number('peers') }, pipeline));
await sleep(200);
await call('delays', 0);
for (const start of starts) start();
await sleep(20);
const pings = [];
for (const end = performance.now() + number('seconds') * 1000; performance.now() < end;) {
  const from = performance.now();
  await Promise.race([call('work', 0), sleep(PATIENCE_MS)]);
  pings.push(performance.now() - from);
  if (pings.at(-1) >= PATIENCE_MS) break;
  await sleep(2);
}
// A late ping's reply may come in place of the one that is asked for.
const answer = await Promise.race([call('delays', 0), sleep(PATIENCE_MS)]);
const delays = (Array.isArray(answer) ? answer : [PATIENCE_MS]).sort((a, b) => a - b);
pings.sort((a, b) => a - b);
const report = {
  seconds: number('seconds'),
  pings: pings.length,
  p50Millis: quantile(pings, 0.5),
  p99Millis: quantile(pings, 0.99),
  maxMillis: pings.at(-1),
  timerP99Millis: quantile(delays, 0.99),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
