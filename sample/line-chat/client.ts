// Takes part from the terminal, as `nc 127.0.0.1 1833` does. The first argument is a name to have.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const name = process.argv[2];

const socket = connect(port, host, () => {
  if (name !== undefined) socket.write(`NICK ${name}\n`);
  process.stdin.pipe(socket);
}).on('error', explain);
createInterface({ input: socket })
  .on('line', (line) => console.log(line))
  .on('close', () => process.stdin.destroy());
