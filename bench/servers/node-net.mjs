// A bare node:net echo, without Nest: what Node gives when nothing is put on top. Default backlog (511). It does not
// heed back-pressure, which a closed loop never causes: pausing at each large chunk would only slow it down.
import { createServer } from 'node:net';
import process from 'node:process';
import { announce } from './announce.mjs';

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => socket.destroy());
});

server.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) }, () => {
  announce(server.address().port);
});
