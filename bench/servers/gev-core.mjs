// This project's reactor without Nest: a callback that sends each frame back. Environment: HOST, PORT, LOOPS (0: inline,
// n: that many threads), CODEC (line or length).
import process from 'node:process';
import * as gev from 'nestjs-gev/core';
import { announce } from './announce.mjs';
import { codecOf } from './codec.mjs';

const reactor = new gev.Reactor(
  {
    host: process.env.HOST ?? '127.0.0.1',
    port: Number(process.env.PORT ?? 0),
    loops: Number(process.env.LOOPS ?? 0),
    codec: codecOf(gev),
  },
  {
    onOpen() {},
    onMessage: (connection, frame) => void connection.send(frame),
    onText: (connection, text) => void connection.send(text),
    onEnd: (connection) => reactor.finish(connection),
    onClose() {},
    onError() {},
  },
);
const { port } = await reactor.listen();
announce(port);
