import { once } from 'node:events';
import { createServer } from 'node:net';
import { JsonFramer } from '../servers/json-framer.mjs';

/** A packet on the wire. @param {object} packet */
export const frame = (packet) => {
  const json = JSON.stringify(packet);
  return `${json.length}#${json}`;
};

/** What an honest server answers. */
export const honest = (reply) => frame(reply);

/** Applies `change` to the one reply that comes after so many on its connection. */
export const onceAfter = (replies, change) => (reply, count, socket) =>
  count === replies ? change(reply, socket) : frame(reply);

export const once500 = (change) => onceAfter(500, change);

/**
 * Calls `load` with the port of a server that answers sums, and closes it afterwards. `harm` makes of each right reply
 * what is written, given how many came before it on its connection.
 *
 * @param {(reply: object, count: number, socket: import('node:net').Socket) => string} harm
 * @param {(port: number) => Promise<object>} load
 */
export async function withSumServer(harm, load) {
  const sockets = new Set();
  const server = createServer({ noDelay: true }, (socket) => {
    let count = 0;
    const framer = new JsonFramer((json) => {
      const { data, id } = JSON.parse(json);
      const response = data.reduce((sum, number) => sum + number, 0);
      socket.write(harm({ response, isDisposed: true, id }, count++, socket));
    });
    sockets.add(socket);
    socket.on('data', (chunk) => framer.push(chunk));
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await load(server.address().port);
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}
