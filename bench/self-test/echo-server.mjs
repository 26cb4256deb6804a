import { once } from 'node:events';
import { createServer } from 'node:net';
import { run } from './generator.mjs';

/**
 * Calls `load` with the port of an echo whose every chunk `harm` may change, and closes it afterwards; `position` is where
 * the chunk begins.
 *
 * @param {(chunk: Buffer, position: number, socket: import('node:net').Socket) => Buffer} harm
 * @param {(port: number) => Promise<object>} load
 */
export async function withEchoServer(harm, load) {
  const server = createServer({ noDelay: true }, (socket) => {
    let position = 0;
    socket.on('data', (chunk) => {
      socket.write(harm(chunk, position, socket));
      position += chunk.length;
    });
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await load(server.address().port);
  } finally {
    server.close();
  }
}

/**
 * Runs the generator against such an echo.
 *
 * @param {Parameters<typeof withEchoServer>[0]} harm
 * @param {Record<string, string | number>} [options]
 */
export const loadEcho = (harm, options = {}) =>
  withEchoServer(harm, (port) =>
    run({ port, connections: 4, depth: 4, 'warm-up': 0.05, seconds: 0.2, ...options }),
  );

export const honest = (chunk) => chunk;
