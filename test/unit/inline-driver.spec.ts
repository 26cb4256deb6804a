import { describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onCleanup } from '../kit/cleanup.js';
import { RpcPeer, serveRpc } from '../kit/rpc.js';
import { until } from '../kit/until.js';

const CLIENTS = 16;

const REPLY = JSON.stringify({ response: 1, isDisposed: true, id: 'x' });

/** Sends so many requests at once over CLIENTS connections, sets the flag, and tells when all are answered. */
const flooder = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { connect } = require('node:net');
  const { port, clients, flag, reply } = workerData;
  const sockets = Array.from({ length: clients }, () => connect(port, '127.0.0.1'));
  let awaited = 0;
  for (const socket of sockets) {
    socket.on('data', (chunk) => {
      awaited -= chunk.length;
      if (awaited === 0) parentPort.postMessage('answered');
    });
  }
  parentPort.on('message', async (each) => {
    awaited = each * clients * (reply.length + '#'.length + String(reply.length).length);
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
        return Atomics.wait(flag, 0, 0, 60_000);
      }
    }
    const { port } = await serveRpc({ loops }, Handlers);
    const worker = new Worker(flooder, {
      eval: true,
      workerData: { port, clients: CLIENTS, flag, reply: REPLY },
    });
    onCleanup(async () => void (await worker.terminate()));
    await once(worker, 'message');
    let answered = 0;
    worker.on('message', () => answered++);
    const busy = await RpcPeer.connect(port);

    // More events than one callback of libuv delivers (64 slabs of 256), by less than a turn of the loop.
    for (const [round, each] of [1024, 1016, 1008, 1000, 984].entries()) {
      Atomics.store(flag, 0, 0);
      worker.postMessage(each);
      busy.send({ pattern: 'be busy', data: 1, id: each });
      const [{ response } = {}] = await busy.all(each);
      expect(response).not.toBe('timed-out');
      await until(() => answered > round, 'every request is answered');
    }
  });
});
