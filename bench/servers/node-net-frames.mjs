// node:net with framing by hand, as one writes it who knows how: each frame is cut out of what came, a function answers
// it, and its reply is framed. Like node-net.mjs it does not heed back-pressure.
//
// Environment: HOST, PORT, FRAMING (line: text that ends with '\n' or '\r\n'; length: bytes behind their number, 4 bytes in
// network order) and WRITES: each (one a message), corked (the same between cork() and uncork(), which make them one
// for each chunk that came) or joined (replies are joined by hand, and written once for each chunk).
import process from 'node:process';
import { createServer } from 'node:net';
import { announce } from './announce.mjs';

const { FRAMING: framing, WRITES: writes } = process.env;
const maxLength = 64 * 1024;
const lineFeed = 0x0a;

const answer = (frame) => frame;

/** Calls `onFrame` for each line in `bytes`. Returns how many bytes they took; -1 when one is too long. */
function cutLines(bytes, onFrame) {
  const end = bytes.lastIndexOf(lineFeed);
  if (bytes.length - end > maxLength) return -1;
  if (end < 0) return 0;
  const text = bytes.toString('utf8', 0, end + 1); // whole characters: a line feed is none's part
  for (let start = 0; start < text.length;) {
    const stop = text.indexOf('\n', start);
    if (stop - start > maxLength) return -1;
    onFrame(text.slice(start, text[stop - 1] === '\r' ? stop - 1 : stop));
    start = stop + 1;
  }
  return end + 1;
}

/** The same for frames behind their length. */
function cutByLength(bytes, onFrame) {
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt32BE(at);
    if (length > maxLength) return -1;
    const end = at + 4 + length;
    if (end > bytes.length) break;
    onFrame(bytes.subarray(at + 4, end));
    at = end;
  }
  return at;
}

const frameLine = (text) => `${text}\n`;

function frameByLength(bytes) {
  const frame = Buffer.allocUnsafe(4 + bytes.length);
  frame.writeUInt32BE(bytes.length);
  frame.set(bytes, 4);
  return frame;
}

const joinLines = (texts) => `${texts.join('\n')}\n`;

function joinByLength(replies) {
  let size = 0;
  for (const { length } of replies) size += 4 + length;
  const joined = Buffer.allocUnsafe(size);
  let at = 0;
  for (const reply of replies) {
    at = joined.writeUInt32BE(reply.length, at);
    joined.set(reply, at);
    at += reply.length;
  }
  return joined;
}

const [cut, frame, join] =
  framing === 'line' ? [cutLines, frameLine, joinLines] : [cutByLength, frameByLength, joinByLength];

/** How a chunk is served: returns what `cut` does. */
const serve = {
  each: (socket, bytes) => cut(bytes, (message) => socket.write(frame(answer(message)))),
  corked(socket, bytes) {
    socket.cork();
    const taken = cut(bytes, (message) => socket.write(frame(answer(message))));
    socket.uncork();
    return taken;
  },
  joined(socket, bytes) {
    const replies = [];
    const taken = cut(bytes, (message) => replies.push(answer(message)));
    if (replies.length > 0) socket.write(join(replies));
    return taken;
  },
}[writes];

const server = createServer({ noDelay: true }, (socket) => {
  let rest;
  socket.on('data', (chunk) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    const taken = serve(socket, bytes);
    if (taken < 0) socket.destroy();
    rest = taken < bytes.length ? bytes.subarray(taken) : undefined;
  });
  socket.on('error', () => socket.destroy());
});

server.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) }, () => {
  announce(server.address().port);
});
