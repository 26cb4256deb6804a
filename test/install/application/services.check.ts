import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { GevClient } from 'nestjs-gev';
import { firstValueFrom } from 'rxjs';
import { startEcho, startMath } from './services.js';

/** Of Jest or of vitest. */
declare const it: (name: string, test: () => Promise<void>) => void;

it('echoes', async () => {
  const service = await startEcho();
  const socket = connect(service.port, '127.0.0.1').end('hello');
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
  await service.close();
});

it('answers a request', async () => {
  const service = await startMath();
  const client = new GevClient({ host: '127.0.0.1', port: service.port });
  assert.equal(await firstValueFrom(client.send<number>('sum', [1, 2, 3])), 6);
  await client.close();
  await service.close();
});
