// Loads a sum server through a Nest client, CLIENT=tcp (Nest's own) or gev (this project's): one connection, `depth`
// calls outstanding, each result verified. It stands in for gev_load: the same options, the same report, with the
// client's own CPU time besides. A second answer to a call is not seen here, because clients drop it.
//
// PAYLOAD and CODEC make it send those of payloads.mjs instead of sums.
//
// With --in-turn it does as it is told: for each line on stdin, a number of calls, it makes them and prints the CPU time
// that they took this process.
import process from 'node:process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { requireAllThreadsOn } from '../runner/affinity.mjs';
import { CallLoad } from './call-load.mjs';
import { CpuSampler } from './cpu-sampler.mjs';
import { taskOf } from './payloads.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: {
    port: text,
    depth: text,
    'warm-up': text,
    seconds: text,
    'server-pid': text,
    cpu: text,
    'in-turn': { type: 'boolean' },
  },
});
const number = (name, fallback) => Number(values[name] ?? fallback);
const cpu = number('cpu', NaN);
const serverPid = number('server-pid', NaN);

async function createClient() {
  const options = { host: '127.0.0.1', port: number('port') };
  if (process.env.CLIENT !== 'gev') return ClientProxyFactory.create({ transport: Transport.TCP, options });
  const { GevClient } = await import('nestjs-gev');
  if (GevClient === undefined) throw new Error('nestjs-gev has no GevClient: run npm run prepare');
  const codec = process.env.CODEC === 'msgpack' ? (await import('nestjs-gev/msgpack')).msgpack() : undefined;
  return ClientProxyFactory.create({ customClass: GevClient, options: { ...options, codec } });
}

const client = await createClient();
await client.connect();
if (!Number.isNaN(cpu)) requireAllThreadsOn(process.pid, cpu);
const { PAYLOAD: payload, CODEC: codec } = process.env;
const task = payload === undefined ? undefined : taskOf(payload, codec);
const load = new CallLoad(client, number('depth', 64), task);

async function measureWindow() {
  const sampler = new CpuSampler({ cpu, serverPid });
  let report;
  try {
    await load.runFor(number('warm-up', 1));
    load.clear();
    sampler.begin();
    await load.runFor(number('seconds', 2));
    report = { ...load.report(), errors: 0 };
    Object.assign(report, sampler.end(report));
    await load.drain();
  } catch (error) {
    report = { ...report, errors: 1, error: error.message };
  }
  return report;
}

/** Until stdin ends, or a call goes wrong. */
async function measureInTurn() {
  for await (const calls of createInterface({ input: process.stdin })) {
    const before = process.cpuUsage();
    await load.exchange(Number(calls));
    const { user, system } = process.cpuUsage(before);
    process.stdout.write(`${JSON.stringify({ cpuMicros: (user + system) / Number(calls) })}\n`);
  }
}

if (values['in-turn']) {
  await measureInTurn();
  process.exit(0);
}
const report = await measureWindow();
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.errors));
