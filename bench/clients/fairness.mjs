// One well-behaved client, a ping every few milliseconds, beside peers that pipeline. It stands in for gev_load: options on
// the command line, a report on stdout.
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { caller, dial, frame, quantile } from './json-caller.mjs';

const text = { type: 'string' };
const names = [
  'port',
  'seconds',
  'quiet-seconds',
  'pingers',
  'peers',
  'pipelined',
  'reply-bytes',
  'handler-ms',
  'again',
];
names.push('cpu', 'server-pid');
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
const number = (name) => Number(values[name] ?? 0);
const HASH = 0x23;

/** Pipelines; with --again it sends as many requests as were answered, for ever. */
async function pipeline() {
  const socket = await dial(number('port'));
  const [pattern, data] =
    number('reply-bytes') > 0 ? ['reply', number('reply-bytes')] : ['work', number('handler-ms')];
  const request = frame({ pattern, data, id: '1' });
  const count = number('pipelined');
  let answered = 0;
  socket.on('data', (chunk) => {
    if (number('again') === 0) return;
    for (const byte of chunk) if (byte === HASH) answered++;
    if (answered < count / 2) return;
    socket.write(request.repeat(answered));
    answered = 0;
  });
  return () => socket.write(request.repeat(count));
}

/** What has not come by then has waited so long at least. */
const PATIENCE_MS = 8_000;

/** Pings for so long, `rest` ms between two of them, and adds what each took to `times`. */
async function ping(call, seconds, rest, times) {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    const from = performance.now();
    await Promise.race([call('work', 0), sleep(PATIENCE_MS)]);
    times.push(performance.now() - from);
    if (times.at(-1) >= PATIENCE_MS) return;
    if (rest > 0) await sleep(rest);
  }
}

/** One well-behaved client rests between two pings; of many, each sends the next one at once. */
const pingers = Math.max(number('pingers'), 1);
const calls = await Promise.all(
  Array.from({ length: pingers }, async () => caller(await dial(number('port')))),
);
async function pingAll(seconds) {
  const times = [];
  await Promise.all(calls.map((call) => ping(call, seconds, pingers === 1 ? 2 : 0, times)));
  return times.sort((a, b) => a - b);
}

const [call] = calls;
await call('work', 0);
const starts = await Promise.all(Array.from({ length: number('peers') }, pipeline));
await sleep(200);
const quiet = number('quiet-seconds') > 0 ? await pingAll(number('quiet-seconds')) : [];
await call('delays', 0);
for (const start of starts) start();
await sleep(20);
const pings = await pingAll(number('seconds'));
// A late ping's reply may come in place of the one that is asked for.
const answer = await Promise.race([call('delays', 0), sleep(PATIENCE_MS)]);
const delays = (Array.isArray(answer) ? answer : [PATIENCE_MS]).sort((a, b) => a - b);
const report = {
  seconds: number('seconds'),
  pings: pings.length,
  p50Millis: quantile(pings, 0.5),
  p99Millis: quantile(pings, 0.99),
  maxMillis: pings.at(-1),
  timerP99Millis: quantile(delays, 0.99),
  ...(quiet.length > 0 && {
    quietP99Millis: quantile(quiet, 0.99),
    timesQuiet: quantile(pings, 0.99) / quantile(quiet, 0.99),
  }),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
