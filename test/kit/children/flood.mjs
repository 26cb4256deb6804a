// Clients that pipeline requests flat out. Arguments: the ports, one connection each; requests in flight of each connection.
import { connect } from 'node:net';

const [ports, inFlight] = process.argv.slice(2).map((argument) => JSON.parse(argument));
const HASH = 0x23;

const text = JSON.stringify({ pattern: 'work', data: 1, id: '1' });
const request = `${text.length}#${text}`;

for (const port of ports) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined); // the server ends
  let answered = 0;
  socket.on('data', (chunk) => {
    for (const byte of chunk) if (byte === HASH) answered++;
    if (answered < inFlight / 2) return;
    socket.write(request.repeat(answered));
    answered = 0;
  });
  socket.write(request.repeat(inFlight));
}
console.log(JSON.stringify({ flooding: ports.length }));
