// Things that a test wants to happen in a process of its own.
//
//   node scenario.mjs <name> <options of the server as JSON>      reports as lines of JSON
import cluster from 'node:cluster';
import { readdirSync, readSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, threadId, Worker } from 'node:worker_threads';
import { application, report } from './application.mjs';

const self = fileURLToPath(import.meta.url);
const [, , name, json = '{}'] = process.argv;
const MiB = 1024 * 1024;
/** Messages handled before the end comes: the server is under load then. */
const ENOUGH = 300;

const threads = () => readdirSync('/proc/self/task').length;

/** Writes though the JavaScript thread does not get back to its event loop. */
const reportNow = (value) => writeSync(1, `${JSON.stringify(value)}\n`);

/** Echoes, and does something once the server is busy. */
async function echoUntilBusy(options, end) {
  let messages = 0;
  const started = await application(options, {
    message(data) {
      if (++messages === ENOUGH) end();
      return data;
    },
  });
  report({ port: started.port });
  return started;
}

function collectGarbage() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

const boom = () => {
  throw new Error('boom');
};

const scenarios = {
  exit: (options) => echoUntilBusy(options, () => process.exit(3)),
  'throw in setImmediate': (options) => echoUntilBusy(options, () => setImmediate(boom)),
  'throw in nextTick': (options) => echoUntilBusy(options, () => process.nextTick(boom)),
  'throw in a promise': (options) => echoUntilBusy(options, () => void Promise.reject(new Error('boom'))),

  /** Terminates a worker whose server is busy, five times over. */
  async terminate(options) {
    await Promise.all(Array.from({ length: 8 }, () => stat(self))); // starts Node's thread pool
    const before = threads();
    for (let round = 1; round <= 5; round++) {
      const worker = new Worker(self, { argv: ['in a worker', JSON.stringify(options)] });
      await new Promise((resolve, reject) => {
        worker.on('error', reject);
        worker.on('message', (message) => {
          if (message === 'busy') resolve();
          else report(Object.fromEntries([[`port${round}`, message]]));
        });
      });
      await worker.terminate();
    }
    // A thread that has ended stays in the table for a moment.
    for (let tries = 0; threads() > before && tries < 100; tries++) await pause(20);
    report({ before, after: threads() });
  },

  async 'in a worker'(options) {
    let messages = 0;
    const { port } = await application(options, {
      message(data) {
        if (++messages === ENOUGH) parentPort.postMessage('busy');
        return data;
      },
    });
    parentPort.postMessage(port);
  },

  /** Two worker threads on one port. */
  async workers(options) {
    const start = (port) => {
      const worker = new Worker(self, { argv: ['a named worker', JSON.stringify({ ...options, port })] });
      return new Promise((resolve, reject) => {
        worker.once('error', reject);
        worker.once('message', resolve);
      });
    };
    const port = await start(0);
    await start(port);
    report({ port });
  },

  async 'a named worker'(options) {
    const { port } = await application(options, { connect: () => `${threadId};` });
    parentPort.postMessage(port);
  },

  /** Two processes of node:cluster on one port. */
  async cluster(options) {
    const start = (port) => {
      cluster.setupPrimary({ exec: self, args: ['in a cluster', JSON.stringify({ ...options, port })] });
      const worker = cluster.fork();
      return new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('exit', () => reject(new Error('A worker of the cluster ended')));
      });
    };
    const port = await start(0);
    await start(port);
    report({ port });
  },

  async 'in a cluster'(options) {
    process.once('disconnect', () => process.exit());
    const { port } = await application(options, { connect: () => `${process.pid};` });
    process.send(port);
  },

  /** Tells each client which process it reached. */
  async named(options) {
    const { port } = await application(options, { connect: () => `${process.pid};` });
    report({ port });
  },

  /** Listens where an ordinary user may not. */
  async unprivileged({ paths, ...options }) {
    const { app } = await application({ loops: 0 }); // while the addon can still be read
    await app.close();
    if (process.getuid() === 0) process.setuid(65534);
    const refusals = [];
    for (const path of paths) {
      await application({ ...options, path }).then(
        () => refusals.push('it listens'),
        ({ name, code, message }) => refusals.push({ name, code, message }),
      );
    }
    report({ refusals });
  },

  /** Echoes with Nest's own logger on standard output. Reports its counters when asked. */
  async counted(options) {
    const { server, port } = await application(options, { message: (data) => data }, ['warn', 'error']);
    createInterface({ input: process.stdin }).on('line', () => report({ stats: server.stats() }));
    report({ port });
  },

  /** 'fill' has 8 MiB sent to its connection; 'block' holds the JavaScript thread for a second and until told to go on. */
  async blocked(options) {
    const { server, port } = await application(options, {
      message(data, connection) {
        if (data.toString() === 'fill') connection.send(Buffer.alloc(8 * MiB));
        if (data.toString() !== 'block') return 'ok';
        const accepted = server.stats().accepted;
        reportNow({ blocked: true });
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
        readSync(0, Buffer.alloc(1));
        reportNow({ unblocked: true, accepted: server.stats().accepted - accepted });
        return 'done';
      },
    });
    const timer = server.runEvery(50, () => {
      if (timer.skipped > 10) report({ skipped: timer.skipped });
    });
    report({ port });
  },

  /** Uses connections that have closed, after their memory was collected and their slots were taken again. */
  async kept(options) {
    const kept = [];
    const failures = new Set();
    const { server, port } = await application(options, {
      message(data, connection) {
        if (data.toString() === 'here') return 'here';
        if (data.toString() === 'keep') {
          kept.push(connection);
          return 'kept';
        }
        collectGarbage();
        for (const old of kept) {
          for (const use of [() => old.send('x'), () => old.sendAsync('x').catch(() => undefined)]) {
            try {
              use();
            } catch ({ name }) {
              failures.add(name);
            }
          }
          old.close();
          old.shutdownWrite();
          old.destroy();
          old.drain$.subscribe();
          old.messages$.subscribe();
          if (old.bufferedBytes !== 0 || old.writable || old.state !== 'closed') failures.add('state');
        }
        return `${kept.length} kept, ${[...failures].join()}, ${server.connections.size} open;`;
      },
    });
    report({ port });
  },
};

await scenarios[name](JSON.parse(json));
