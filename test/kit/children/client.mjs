// A client with requests in flight, in a process of its own, and how that ends.
//
//   node client.mjs <port> <loops> <close|exit|throw|terminate>      reports {"answered":…} before
import 'reflect-metadata';
import { GevClient } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { report } from './application.mjs';

const [, , port, loops, end] = process.argv;

/** A client whose server owes it a thousand replies. */
async function busyClient() {
  const client = new GevClient({ host: '127.0.0.1', port: Number(port), loops: Number(loops) });
  for (let call = 0; call < 1_000; call++) client.send('never', call).subscribe({ error: () => undefined });
  report({ answered: await firstValueFrom(client.send('echo', 'ready')) });
  return client;
}

const ends = {
  /** Nothing is left that would keep the process. */
  close: async () => (await busyClient()).close(),
  async exit() {
    await busyClient();
    process.exit(3);
  },
  async throw() {
    await busyClient();
    setImmediate(() => {
      throw new Error('thrown on purpose');
    });
  },
  async terminate() {
    const worker = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
  },
};

if (isMainThread) await ends[end]();
else {
  await busyClient();
  parentPort.postMessage('busy');
}
