// Servers and clients that are left as they are: the process ends by itself when nothing is under way.
//
//   node idle.mjs <port> <loops> <loops of the client>      of a server that answers 'echo', and 'slow' after a while
import 'reflect-metadata';
import { GevClient, GevRecordBuilder, GevServer } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { report } from './application.mjs';

const [, , port, loops, clientLoops] = process.argv;

const listen = (server) =>
  new Promise((resolve, reject) =>
    server.listen((error) => (error === undefined ? resolve() : reject(error))),
  );

const client = new GevClient({ host: '127.0.0.1', port: Number(port), loops: Number(clientLoops) });
const nobody = new GevClient({ host: '127.0.0.1', port: 1, loops: Number(clientLoops) });
nobody.connect().catch(() => undefined);

const server = new GevServer({ host: '127.0.0.1', port: 0, loops: Number(loops) });
await listen(server);
await firstValueFrom(client.send('echo', 1));
await server.close();
// Long enough for the client to have been idle, and for a server alone to keep the process.
await listen(server);
await new Promise((resolve) => setTimeout(resolve, 200).unref());
report({ awake: await firstValueFrom(client.send('echo', 'awake')) });
await server.close();
await new Promise((resolve) => setTimeout(resolve, 200));

const unreferenced = new GevServer({ host: '127.0.0.1', port: 0, loops: Number(loops) });
unreferenced.unwrap().unref();
await listen(unreferenced);

process.on('exit', () => report({ ended: true, connected: client.unwrap().connections.length }));
// Until then it has no connection, no loop, nothing but the wish to try again.
nobody
  .send('x', new GevRecordBuilder(1).setRetry({ attempts: 1, delay: 2_000, maxDelay: 2_000 }).build())
  .subscribe({
    error: ({ code }) => report({ retried: code }),
  });
client.send('slow', 'slow').subscribe((slow) => report({ slow }));
client.emit('note', 'noted').subscribe();
