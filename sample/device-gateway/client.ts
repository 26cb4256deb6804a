// A device: says who it is, sends a reading every second, and prints what it is told. It comes back when it is sent away.
//
//   client.js [<name> [<readings>]]      without a number it goes on
import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const [name = 'thermometer', readings = 'Infinity'] = process.argv.slice(2);
const { HOST = '127.0.0.1', PORT = '1833', DEVICE_SECRET = 'not-a-secret' } = process.env;
// A real device has its token from the factory, and does not know the secret.
const token = createHmac('sha256', DEVICE_SECRET).update(name).digest('hex');

let left = Number(readings);
let delay = 500;

function dial(): void {
  const socket = connect(Number(PORT), HOST);
  let reading: NodeJS.Timeout | undefined;
  socket.on('connect', () => socket.write(`AUTH ${name} ${token}\n`));
  const lines = createInterface({ input: socket }).on('error', () => undefined); // the socket's own, told below
  lines.on('line', (line) => {
    console.log(line);
    if (line !== 'OK') return;
    delay = 500;
    reading = setInterval(() => {
      if (left-- > 0) socket.write(`${JSON.stringify({ celsius: 20 + Math.random() })}\n`);
      else socket.end();
    }, 1_000);
  });
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', () => {
    clearInterval(reading);
    if (left <= 0) return;
    setTimeout(dial, delay * (0.5 + Math.random()));
    delay = Math.min(delay * 2, 30_000);
  });
}

dial();
