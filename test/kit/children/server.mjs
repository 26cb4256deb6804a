// A Nest application in a process of its own, so that its system calls, CPU time and memory are the server's alone.
//
//   node server.mjs <behaviour> <options as JSON>      prints {"port":…,"pid":…} once it listens
//
// The line `block <ms>` on its standard input keeps its JavaScript thread busy for so long.
import { createInterface } from 'node:readline';
import { application, report } from './application.mjs';

const [, , behaviour, options] = process.argv;
const replies = 16;

/** What a message is answered with. */
const behaviours = {
  echo: (data) => data,
  /** Sixteen replies by one handler, in one turn. */
  sixteen(data, connection) {
    for (let number = 1; number < replies; number++) connection.send(data);
    return data;
  },
  /** The same, but some of them after a promise. */
  async promised(data, connection) {
    for (let number = 1; number < replies; number++) {
      await Promise.resolve();
      connection.send(data);
    }
    return data;
  },
  /** The same, in a turn that no event of the reactor began. */
  later(data, connection) {
    setTimeout(() => {
      for (let number = 0; number < replies; number++) connection.send(data);
    }, 1);
  },
};

// 'rpc' answers the requests of Nest's clients, with the pattern 'echo'.
const handlers = behaviour === 'rpc' ? { echo: (data) => data } : { message: behaviours[behaviour] };
const { app, port } = await application(JSON.parse(options), handlers, ['error']);
createInterface({ input: process.stdin }).on('line', (line) => {
  const [, ms] = /^block (\d+)$/.exec(line) ?? [];
  if (ms === undefined) return;
  report({ blocked: ms });
  const end = performance.now() + Number(ms);
  while (performance.now() < end);
  report({ unblocked: ms });
});
process.once('SIGTERM', () => void app.close());
report({ port, pid: process.pid });
