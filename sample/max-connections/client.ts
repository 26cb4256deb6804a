// Opens more connections than are welcome and prints what each is told.
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const count = Number(process.argv[2] ?? 7);

const sockets = Array.from({ length: count }, (_, index) => {
  const number = index + 1;
  const socket = connect(port, host);
  socket.setEncoding('utf8');
  socket.on('data', (text) => console.log(`${number}: ${String(text).trim()}`));
  socket.on('error', explain);
  socket.on('end', () => console.log(`${number}: turned away`));
  return socket;
});

await setTimeout(500);
for (const socket of sockets) socket.destroy();
