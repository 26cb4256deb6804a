// Calls and events from many callers while the servers of a fleet (servers/fleet.mjs) are restarted, and what became of
// them. It stands in for gev_load: options on the command line, a report on stdout. CLIENT in the environment: gev or tcp.
import 'reflect-metadata';
import { connect } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Logger } from '@nestjs/common';
import { ClientTCP } from '@nestjs/microservices';
import { GevClient } from 'nestjs-gev';
import { lastValueFrom } from 'rxjs';

Logger.overrideLogger(false); // stdout is for the report

const text = { type: 'string' };
const names = ['port', 'seconds', 'requests', 'restarts', 'callers', 'straggler-ms', 'cpu', 'server-pid'];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
const number = (name) => Number(values[name] ?? 0);
/** One request in so many takes its time; one in so many is followed by an event. */
const STRAGGLERS = 50;
const EVENTS = 2;

const control = connect({ host: '127.0.0.1', port: number('port') });
const answers = createInterface({ input: control })[Symbol.asyncIterator]();
async function ask(command) {
  control.write(`${command}\n`);
  return JSON.parse((await answers.next()).value);
}

const ports = await ask('ports');
const client =
  process.env.CLIENT === 'tcp'
    ? new ClientTCP({ host: '127.0.0.1', port: ports[0] })
    : new GevClient({ endpoints: ports.map((port) => ({ host: '127.0.0.1', port })), connections: 2 });

/** By number: 'asked', 'answered' or the error's message. */
const requests = [];
const events = [];
let running = true;

async function settle(list, index, source, good) {
  try {
    await lastValueFrom(source, { defaultValue: undefined });
    list[index] = good;
  } catch (error) {
    list[index] = `failed: ${error?.message ?? error}`;
  }
}

async function call() {
  while (running) {
    const id = requests.push('asked') - 1;
    const ms = id % STRAGGLERS === 0 ? number('straggler-ms') : 0;
    await settle(requests, id, client.send('work', { id, ms }), 'answered');
    if (id % EVENTS === 0) {
      const event = events.push('asked') - 1;
      await settle(events, event, client.emit('noted', event), 'sent');
    }
    await sleep(Math.random() * 10);
  }
}

/** An orchestrator waits until a server is ready; the client may come back a little later. */
async function untilBack(index) {
  if (process.env.CLIENT === 'tcp') return;
  while (client.stats().endpoints[index].state !== 'connected') await sleep(5);
}

await client.connect();
const callers = Array.from({ length: number('callers') }, call);
const restarts = number('restarts');
for (let done = 0; done < restarts; done++) {
  const due = (number('requests') * (done + 0.5)) / restarts;
  while (requests.length < due) await sleep(5);
  const index = done % ports.length;
  await ask(`restart ${index}`);
  await untilBack(index);
}
while (requests.length < number('requests')) await sleep(5);
running = false;
await Promise.all(callers);
await client.close();
const { handled, closeMillis } = await ask('report');

function timesHandled(ids) {
  const times = new Map();
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1);
  return times;
}
const handledRequests = timesHandled(handled.requests);
const handledEvents = timesHandled(handled.events);
const repeated = (times) => [...times.values()].filter((count) => count > 1).length;
const failed = requests.filter((state) => state !== 'answered');
const sent = events.map((state, id) => (state === 'sent' ? id : -1)).filter((id) => id >= 0);
for (const message of new Set(failed)) process.stderr.write(`${message}\n`);
const report = {
  seconds: number('seconds'),
  requests: requests.length,
  events: events.length,
  failed: failed.length,
  failedHandled: requests.filter((state, id) => state !== 'answered' && handledRequests.has(id)).length,
  doubled: repeated(handledRequests) + repeated(handledEvents),
  eventsFailed: events.length - sent.length,
  eventsLost: sent.filter((id) => !handledEvents.has(id)).length,
  closeMillis: Math.max(...closeMillis.slice(0, restarts)),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
