import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onCleanup } from '../kit/cleanup.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

const CLIENTS = 16;

/** Sends so many requests at once over CLIENTS connections, sets the flag, and counts the replies. */
const flooder = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { connect } = require('node:net');
  const { port, clients, flag } = workerData;
  const sockets = Array.from({ length: clients }, () => connect(port, '127.0.0.1'));
  let replies = 0;
  for (const socket of sockets) {
    socket.on('data', (chunk) => {
      replies += chunk.toString().split('#').length - 1;
      parentPort.postMessage(replies);
    });
  }
  parentPort.on('message', async (each) => {
    replies = 0;
    const text = JSON.stringify({ pattern: 'echo', data: 1, id: 'x' });
    const batch = (text.length + '#' + text).repeat(each);
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(batch, resolve))));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
  Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve)))).then(() =>
    parentPort.postMessage('connected'),
  );
`;

describe.each([0, 1, 2])('a JavaScript thread that was busy, on %i loops', (loops) => {
  it('handles all that has come meanwhile, however much that is', async () => {
    const flag = new Int32Array(new SharedArrayBuffer(4));

    @Controller()
    class Handlers {
      @MessagePattern('echo')
      echo(@Payload() data: unknown): unknown {
        return data;
      }

      @MessagePattern('be busy')
      beBusy(): string {
        return Atomics.wait(flag, 0, 0, 10_000);
      }
    }
    const { port } = await serveRpc({ loops }, Handlers);
    const worker = new Worker(flooder, { eval: true, workerData: { port, clients: CLIENTS, flag } });
    onCleanup(async () => void (await worker.terminate()));
    await once(worker, 'message');
    let replies = 0;
    worker.on('message', (count: number) => (replies = count));
    const busy = await RpcPeer.connect(port);

    // More events than one callback of libuv delivers (64 slabs of 256), by less than a turn of the loop.
    for (const each of [1024, 1016, 1008, 1000, 984]) {
      Atomics.store(flag, 0, 0);
      worker.postMessage(each);
      busy.send({ pattern: 'be busy', data: 1, id: each });
      const [{ response } = {}] = await busy.all(each);
      expect(response).not.toBe('timed-out');
      await until(() => replies >= each * CLIENTS, 'every request is answered');
    }
  });
});
