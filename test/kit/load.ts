import { connect, type Socket } from 'node:net';
import { onCleanup } from './cleanup.js';

/** So many clients that send a chunk, and the next as soon as something comes back, until the server is gone. */
export function load(port: number, clients = 16, size = 4096): { readonly stop: () => void } {
  const chunk = Buffer.alloc(size, 'x');
  const sockets: Socket[] = [];
  for (let i = 0; i < clients; i++) {
    const socket = connect(port, '127.0.0.1', () => socket.write(chunk));
    socket.on('data', () => socket.write(chunk));
    socket.on('error', () => undefined); // the server ends: that is what it is about
    sockets.push(socket);
  }
  const stop = (): void => sockets.forEach((socket) => socket.destroy());
  onCleanup(stop);
  return { stop };
}
