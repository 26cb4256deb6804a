// One half of the package by itself, in plain JavaScript: a server, a client, and a reactor without Nest.
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';

const logger = { log() {}, warn() {}, error() {} };

/** A server that echoes raw bytes without Nest, and what a peer hears of it. */
export async function echoOnce({ Reactor, raw }) {
  const reactor = new Reactor(
    { codec: raw(), host: '127.0.0.1', port: 0 },
    {
      ...{ onOpen() {}, onText() {}, onClose() {}, onError() {} },
      onMessage: (connection, data) => connection.send(data),
      onEnd: (connection) => reactor.finish(connection),
    },
  );
  const { port } = await reactor.listen();
  const socket = connect(port, '127.0.0.1');
  socket.write('hello');
  const [data] = await once(socket, 'data');
  socket.destroy();
  await reactor.stop();
  return String(data);
}

/** What a client hears that asks a server for a pattern which the server answers by `answer`. */
export async function callOnce(server, client, answer) {
  server.addHandler('ask', async (data) => answer(data));
  await new Promise((resolve, reject) => server.listen((error) => (error ? reject(error) : resolve())));
  const caller = client(server.address().port);
  try {
    return await new Promise((resolve, reject) => {
      caller.send('ask', 20).subscribe({ next: resolve, error: reject });
    });
  } finally {
    await caller.close();
    await server.close();
  }
}

export async function check(gev, core, { msgpack }) {
  assert.equal(gev.GevConnection, core.GevConnection);
  assert.equal(await echoOnce(core), 'hello');
  const server = new gev.GevServer({ host: '127.0.0.1', port: 0, logger });
  const client = (port) => new gev.GevClient({ host: '127.0.0.1', port, logger });
  assert.equal(await callOnce(server, client, (data) => data + 1), 21);
  assert.throws(() => new gev.GevServer({ port: -1 }), { code: 'ERR_GEV_INVALID_OPTION' });
  // Its peer is found in the project's own node_modules, above this application.
  const packing = new gev.GevServer({ host: '127.0.0.1', port: 0, logger, codec: msgpack() });
  const packed = (port) => new gev.GevClient({ host: '127.0.0.1', port, logger, codec: msgpack() });
  assert.deepEqual(await callOnce(packing, packed, (data) => Buffer.from([data])), Buffer.from([20]));
}
