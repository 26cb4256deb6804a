// Does one thing again and again, and tells, five times, what is left.
//
//   node --expose-gc leaks.mjs <what> <rounds> <options as JSON>      reports a line of JSON after each fifth of the rounds
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { GevClient, GevServer, raw } from 'nestjs-gev';

const [, , what, count, json] = process.argv;
const rounds = Number(count);
const silent = { log() {}, warn() {}, error() {} };
const options = { ...JSON.parse(json), host: '127.0.0.1', logger: silent };

const listen = (server) => new Promise((resolve) => server.listen((error) => resolve(error)));
const failure = (promise) =>
  promise.then(
    () => undefined,
    (error) => error,
  );
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

function expectCode(error, code) {
  if (error?.code !== code) throw new Error(`Not ${code}`, { cause: error });
}

/** Where somebody listens who hangs up on everybody. */
async function rudePort() {
  const server = createServer((socket) => socket.destroy());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return server.address().port;
}

const things = {
  async 'start and stop'() {
    return async () => {
      const server = new GevServer({ ...options, port: 0, codec: raw() });
      if (await listen(server)) throw new Error('It does not listen');
      await server.close();
    };
  },

  async 'failed listen'() {
    const port = await rudePort();
    return async () => {
      expectCode(await listen(new GevServer({ ...options, port, codec: raw() })), 'EADDRINUSE');
    };
  },

  async 'refused client'() {
    return async () => {
      const client = new GevClient({ ...options, port: 1, reconnect: false });
      expectCode(await failure(client.connect()), 'ECONNREFUSED');
      await client.close();
    };
  },

  /** A health check that makes a client each time. */
  async 'new client'() {
    const server = new GevServer({ ...options, port: 0 });
    server.addHandler('ping', () => 'pong');
    await listen(server);
    const { port } = server.address();
    return async () => {
      const client = new GevClient({ ...options, port });
      await new Promise((resolve, reject) => {
        client.send('ping', 1).subscribe({ error: reject, complete: resolve });
      });
      await client.close();
    };
  },

  /** One client, whose every connection is lost. */
  async reconnect() {
    const reconnect = { initialDelay: 1, maxDelay: 1, jitter: 0 };
    const port = await rudePort();
    const client = new GevClient({ ...options, port, connections: 20, reconnect, ejection: false });
    client.connect().catch(() => {});
    let wanted = 0;
    return async () => {
      wanted++;
      while (client.stats().reconnects < wanted) await turn();
    };
  },
};

const bytes = () => {
  globalThis.gc();
  const { arrayBuffers, external } = process.memoryUsage();
  return Math.max(arrayBuffers, external);
};

/** What is left when nothing more goes away: finalizers and closing handles take turns of Node's loop. */
async function left() {
  let memory = bytes();
  for (let same = 0; same < 5;) {
    await turn();
    const now = bytes();
    same = now < memory ? 0 : same + 1;
    memory = Math.min(memory, now);
  }
  return {
    memory,
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    handles: process.getActiveResourcesInfo().length,
  };
}

const once = await things[what]();
for (let round = 1; round <= rounds; round++) {
  await once();
  if (round % (rounds / 5) === 0) console.log(JSON.stringify(await left()));
}
process.exit(0);
