// A request and its reply, over TCP and a Unix socket, on the loop of JavaScript and on a thread: with the addon that
// GEV_ADDON names. Plain JavaScript on dist/, so that any Node runs it; exit code 0 if all was well.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GevClient, GevServer } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';

const folder = mkdtempSync(join(tmpdir(), 'gev-echo-'));
const path = join(folder, 'echo.sock');
const text = 'x'.repeat(100_000); // more than a slab

async function echo(options) {
  const server = new GevServer(options);
  server.addHandler('echo', (data) => Promise.resolve(data));
  await new Promise((resolve, reject) => server.listen((error) => (error ? reject(error) : resolve())));
  const { port } = server.address();
  const client = new GevClient(options.path === undefined ? { host: options.host, port } : { path });
  for (const data of [{ n: 1 }, { text }])
    assert.deepEqual(await firstValueFrom(client.send('echo', data)), data);
  client.close();
  await server.close();
}

for (const loops of [0, 1]) {
  await echo({ host: '127.0.0.1', port: 0, loops });
  await echo({ path, loops }); // the second time, there is no file left of the first
  assert.ok(!existsSync(path));
}
rmSync(folder, { recursive: true });
console.log(`echoed on ${process.platform}-${process.arch}, Node ${process.version}`);
