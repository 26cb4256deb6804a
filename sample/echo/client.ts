// Sends each line typed, or its arguments, and prints what comes back.
import { connect } from 'node:net';
import { host, port } from '../env.js';
import { explain } from '../explain.js';

const socket = connect(port, host).on('error', explain);
socket.pipe(process.stdout);

const words = process.argv.slice(2);
if (words.length > 0) socket.end(`${words.join(' ')}\n`);
else process.stdin.pipe(socket);
