// A tracker: logs in, tells every second where it is, and does what it is told. It comes back when it is sent away.
//
//   client.js [<IMEI> [<positions>]]      without a number it goes on
import { connect, type Socket } from 'node:net';
import { encodeFrame, PROTOCOL } from './gt06/gt06-frame.js';

const [imei = '123456789012345', positions = 'Infinity'] = process.argv.slice(2);
const { HOST = '127.0.0.1', PORT = '1833' } = process.env;

let left = Number(positions);
let delay = 500;

/** Of a frame that the gateway sends, all of which are short and come whole where nothing is lost in between. */
const HEADER = 3;

function dial(): void {
  const socket = connect(Number(PORT), HOST);
  let serial = 0;
  let ticking: NodeJS.Timeout | undefined;
  const send = (protocol: number, content: Buffer): void => {
    serial = (serial + 1) & 0xffff;
    socket.write(encodeFrame({ protocol, content, serial }));
  };
  socket.on('connect', () => send(PROTOCOL.login, Buffer.from(`0${imei}`, 'hex')));
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let size = sizeOf(rest); size !== undefined; size = sizeOf(rest)) {
      receive(rest.subarray(HEADER, size - 6));
      rest = rest.subarray(size);
    }
  });
  function receive(frame: Buffer): void {
    const content = frame.subarray(1);
    if (frame[0] === PROTOCOL.login) {
      console.log('logged in');
      delay = 500;
      ticking = setInterval(() => tick(socket, send), 1_000);
      send(PROTOCOL.heartbeat, Buffer.from([0x02, 6, 4, 0, 1])); // the ignition is on, battery and signal are full
    } else if (frame[0] === PROTOCOL.command) {
      const command = content.toString('latin1', 5, 1 + content[0]!);
      console.log(`told to ${command}`);
      const text = Buffer.from(`${command}: done`, 'latin1');
      const answer = Buffer.concat([Buffer.from([4 + text.length]), content.subarray(1, 5), text]);
      send(PROTOCOL.acknowledgement, answer);
    }
  }
  socket.on('error', (error) => console.error(error.message));
  socket.on('close', () => {
    clearInterval(ticking);
    if (left <= 0) return;
    setTimeout(dial, delay * (0.5 + Math.random()));
    delay = Math.min(delay * 2, 30_000);
  });
}

function tick(socket: Socket, send: (protocol: number, content: Buffer) => void): void {
  if (left-- > 0) send(PROTOCOL.position, position());
  else socket.end();
}

/** Somewhere in Lisbon, now, by seven satellites, at 42 km/h to the west. */
function position(): Buffer {
  const now = new Date();
  const content = Buffer.alloc(18);
  content.set([now.getUTCFullYear() - 2000, now.getUTCMonth() + 1, now.getUTCDate()]);
  content.set([now.getUTCHours(), now.getUTCMinutes(), now.getUTCSeconds(), 0xc7], 3);
  content.writeUInt32BE(Math.round((38.72 + Math.random() / 100) * 1_800_000), 7);
  content.writeUInt32BE(Math.round(9.14 * 1_800_000), 11);
  content[15] = 42;
  content.writeUInt16BE(0x1000 | 0x0800 | 0x0400 | 270, 16);
  return content;
}

function sizeOf(bytes: Buffer): number | undefined {
  const size = bytes.length < HEADER ? Infinity : HEADER + bytes[2]! + 2;
  return size <= bytes.length ? size : undefined;
}

dial();
