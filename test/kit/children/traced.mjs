// A server, a client of it and one of nobody, each of which does a little of everything; for NODE_DEBUG=gev.
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { GevClient, GevRecordBuilder } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { application, report } from './application.mjs';

const failing = (data) => {
  if (data === 'fail') throw new Error('secret cause');
  return data;
};
const { app, server, port } = await application({ loops: 1 }, { echo: failing });
report({ port });

let ticks = 0;
const timer = server.runEvery(1, () => ticks++, { name: 'heartbeat' });
while (ticks === 0) await pause(1);
timer.cancel();

const client = new GevClient({ host: '127.0.0.1', port });
await firstValueFrom(client.send('echo', 'secret data'));
await firstValueFrom(client.send('echo', 'fail')).catch(() => undefined);
await firstValueFrom(client.emit('news', 'secret news'));
server.broadcast('"secret broadcast"');

// Nobody listens there any more.
const { port: gone } = await new Promise((resolve) => {
  void application({}, {}).then(async (other) => {
    await other.app.close();
    resolve(other);
  });
});
const lost = new GevClient({ host: '127.0.0.1', port: gone });
const record = new GevRecordBuilder('secret').setRetry({ attempts: 1, delay: 1 }).build();
await firstValueFrom(lost.send('echo', record)).catch(() => undefined);
await lost.close();

// A peer with a pattern that would write a line of its own.
const peer = connect(port, '127.0.0.1').on('error', () => undefined);
const text = JSON.stringify({ pattern: 'two\nlines', data: 'secret', id: 'a\u001b[31m' });
// And with one that is too deep to be shown; a request behind it is answered all the same.
const deep = `{"pattern":${'['.repeat(100_000)}${']'.repeat(100_000)},"data":0,"id":"deep"}`;
const last = JSON.stringify({ pattern: 'echo', data: 'secret', id: 'behind' });
peer.end([text, deep, last].map((frame) => `${frame.length}#${frame}`).join('')).resume();
await once(peer, 'close');

await app.close(); // while the client is connected
await client.close();
report({ done: true });
