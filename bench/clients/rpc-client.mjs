// Loads a sum server through a Nest client, CLIENT=tcp (Nest's own) or gev (this project's): one connection, `depth`
// calls outstanding, each result verified. It stands in for gev_load: the same options, the same report, with the
// client's own CPU time besides. A second answer to a call is not seen here, because clients drop it.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { requireAllThreadsOn } from '../runner/affinity.mjs';
import { CallLoad } from './call-load.mjs';
import { CpuSampler } from './cpu-sampler.mjs';

const text = { type: 'string' };
const { values } = parseArgs({
  options: { port: text, depth: text, 'warm-up': text, seconds: text, 'server-pid': text, cpu: text },
});
const number = (name, fallback) => Number(values[name] ?? fallback);
const cpu = number('cpu', NaN);
const serverPid = number('server-pid', NaN);

async function createClient() {
  const options = { host: '127.0.0.1', port: number('port') };
  if (process.env.CLIENT !== 'gev') return ClientProxyFactory.create({ transport: Transport.TCP, options });
  const { GevClient } = await import('nestjs-gev');
  if (GevClient === undefined) throw new Error('nestjs-gev has no GevClient: run npm run build');
  return ClientProxyFactory.create({ customClass: GevClient, options });
}

const client = await createClient();
await client.connect();
if (!Number.isNaN(cpu)) requireAllThreadsOn(process.pid, cpu);
const sampler = new CpuSampler({ cpu, serverPid });
const load = new CallLoad(client, number('depth', 64));
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
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(report.errors));
