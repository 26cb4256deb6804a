import { once } from 'node:events';
import { createServer } from 'node:net';
import { run } from './generator.mjs';

/**
 * Runs the generator against an echo whose every chunk `harm` may change; `position` is where the chunk begins.
 *
 * @param {(chunk: Buffer, position: number, socket: import('node:net').Socket) => Buffer} harm
 * @param {Record<string, string | number>} [options]
 */
export async function loadEcho(harm, options = {}) {
  const server = createServer({ noDelay: true }, (socket) => {
    let position = 0;
    socket.on('data', (chunk) => {
      socket.write(harm(chunk, position, socket));
      position += chunk.length;
    });
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const all = {
    port: server.address().port,
    connections: 4,
    depth: 4,
    'warm-up': 0.05,
    seconds: 0.2,
    ...options,
  };
  try {
    return await run(all);
  } finally {
    server.close();
  }
}

export const honest = (chunk) => chunk;
