import { expect, it } from '@jest/globals';
import { GevServer, raw } from 'nestjs-gev';
import { connect } from 'node:net';
import { until } from '../until.js';

// Neither the server nor its clients are cleaned up: Jest's environment goes from under them.
it('leaves a busy server behind', async () => {
  const server = new GevServer({
    loops: Number(process.env.LOOPS),
    host: '127.0.0.1',
    port: 0,
    codec: raw(),
  });
  let bytes = 0;
  server.connections$.subscribe((connection) => {
    connection.messages$.subscribe((data) => {
      bytes += data.length;
      connection.send(data);
    });
  });
  await new Promise((resolve) => server.listen(resolve));
  for (let index = 0; index < 16; index++) {
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    socket.write(Buffer.alloc(4096));
    socket.on('data', (data) => socket.write(data));
    socket.on('error', () => undefined);
  }
  await until(() => bytes > 2 ** 20);
  expect(bytes).toBeGreaterThan(2 ** 20);
});
