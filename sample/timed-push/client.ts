// Joins with several connections, one after the other, and prints what is pushed; each leaves after five pushes.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const count = Number(process.argv[2] ?? 3);

for (let number = 1; number <= count; number++) {
  const socket = connect(port, host).on('error', explain);
  let pushes = 0;
  createInterface({ input: socket }).on('line', (line) => {
    console.log(`${number}: ${line}`);
    if (++pushes === 5) socket.end();
  });
  await setTimeout(700);
}
