// A Nest application in a process of its own, so that its system calls, CPU time and memory are the server's alone.
//
//   node server.mjs <behaviour> <options as JSON>      prints {"port":…,"pid":…} once it listens
//
// The line `block` on its standard input keeps its JavaScript thread from its event loop, until a further line comes.
import { readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { application, report } from './application.mjs';

const [, , behaviour, options] = process.argv;
const replies = 16;

/** Sixteen replies in one turn: by one handler, some of them after a promise, or when no event of the reactor began it. */
const ways = {
  sixteen(data, connection) {
    for (let number = 1; number < replies; number++) connection.send(data);
    return data;
  },
  async promised(data, connection) {
    for (let number = 1; number < replies; number++) {
      await Promise.resolve();
      connection.send(data);
    }
    return data;
  },
  later(data, connection) {
    setTimeout(() => {
      for (let number = 0; number < replies; number++) connection.send(data);
    }, 1);
  },
};

/** What a message is answered with. */
const behaviours = {
  echo: (data) => data,
  /** The first word of the message is the way. */
  sixteen: (data, connection) => ways[/^\w+/.exec(data)[0]](data, connection),
};

// 'rpc' answers the requests of Nest's clients, with the pattern 'echo'.
const handlers = behaviour === 'rpc' ? { echo: (data) => data } : { message: behaviours[behaviour] };
const { app, port } = await application(JSON.parse(options), handlers, ['error']);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line !== 'block') return;
  report({ blocked: true });
  while (!readsSomething()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  report({ unblocked: true });
});

function readsSomething() {
  try {
    return readSync(process.stdin.fd, Buffer.alloc(64)) > 0;
  } catch (error) {
    if (error.code === 'EAGAIN') return false;
    throw error;
  }
}
process.once('SIGTERM', () => void app.close());
report({ port, pid: process.pid });
