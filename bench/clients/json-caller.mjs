// What the programs that stand in for gev_load share: Nest's wire format, and figures.
import { connect } from 'node:net';

export const frame = (packet) => {
  const json = JSON.stringify(packet);
  return `${json.length}#${json}`;
};

export async function dial(port) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** Sends one request at a time and resolves with its reply. */
export function caller(socket) {
  let buffer = '';
  let settle;
  socket.on('data', (chunk) => {
    buffer += chunk;
    const hash = buffer.indexOf('#');
    if (hash < 0 || buffer.length < hash + 1 + Number(buffer.slice(0, hash))) return;
    const reply = JSON.parse(buffer.slice(hash + 1));
    buffer = '';
    settle(reply.response);
  });
  return (pattern, data) =>
    new Promise((resolve) => {
      settle = resolve;
      socket.write(frame({ pattern, data, id: '7' }));
    });
}

export const quantile = (sorted, share) =>
  sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
