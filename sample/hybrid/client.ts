// Opens some connections, says something on each, and asks the HTTP side what it sees of them.
import { once } from 'node:events';
import { connect } from 'node:net';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const count = Number(process.argv[2] ?? 3);

const sockets = Array.from({ length: count }, () => connect(port, host).on('error', explain));
await Promise.all(
  sockets.map(async (socket, index) => {
    await once(socket, 'connect');
    socket.write('hello '.repeat(index + 1));
    await once(socket, 'data');
  }),
);
const response = await fetch(`http://127.0.0.1:${process.env.HTTP_PORT ?? 3000}/connections`).catch(
  (error: Error) => explain(error.cause),
);
console.table(await response.json());
for (const socket of sockets) socket.end();
