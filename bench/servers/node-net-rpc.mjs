// The strongest rival in plain JavaScript: node:net, frames sliced from one string a chunk, Nest's handlers (guards,
// pipes, interceptors and filters are in them) called by the shortest way that keeps their meaning, and one write for
// all that a socket has to say in one turn. Back-pressure, which a closed loop never causes, and streams are left out:
// an Observable answers with its last value.
import process from 'node:process';
import { createServer } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { BaseRpcContext, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { announce } from './announce.mjs';
import { JsonFramer } from './json-framer.mjs';
import { SumModule } from './sum-module.mjs';

const noHandler = 'There is no matching message handler defined in the remote service.';
const maxRoutes = 1024; // patterns are the client's to choose
const plainText = /^[\w-]*$/;

/** JSON, with a shorter way for what ids and sums are. */
function toJson(value) {
  if (Number.isInteger(value)) return `${value}`;
  return typeof value === 'string' && plainText.test(value)
    ? `"${value}"`
    : (JSON.stringify(value) ?? 'null');
}

class SocketContext extends BaseRpcContext {
  getSocket() {
    return this.args[0];
  }
  getPattern() {
    return this.args[1];
  }
}

/** One client: its frames, and the replies of this turn. */
class Peer {
  #socket;
  #replies = '';

  constructor(socket, onRequest) {
    this.#socket = socket;
    const framer = new JsonFramer((json) => onRequest(this, JSON.parse(json)));
    socket.on('data', (chunk) => {
      try {
        framer.push(chunk);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
  }

  /** @param {string} json */
  send(json) {
    if (this.#replies === '') flushAfterTurn(this);
    this.#replies += `${json.length}#${json}`;
  }

  flush() {
    this.#socket.write(this.#replies);
    this.#replies = '';
  }
}

/** Peers that have something to send. */
const speaking = [];

/** One write a socket, after all sockets have been read: a quarter cheaper than a write at the next tick. */
function flushAfterTurn(peer) {
  if (speaking.push(peer) === 1) setImmediate(flushAll);
}

function flushAll() {
  for (const peer of speaking) peer.flush();
  speaking.length = 0;
}

class NodeNetServer extends Server {
  transportId = Symbol('node-net');
  #server = createServer(
    { noDelay: true },
    (socket) => new Peer(socket, (peer, packet) => this.#handle(peer, packet)),
  );
  #routes = new Map();

  listen(callback) {
    this.#server.once('error', callback);
    this.#server.listen(
      { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0), backlog: 4096 },
      () => callback(),
    );
  }

  close() {
    this.#server.close();
  }

  on(event, callback) {
    this.#server.on(event, callback);
  }

  unwrap() {
    return this.#server;
  }

  async #handle(peer, { pattern, data, id }) {
    const route = typeof pattern === 'string' ? pattern : JSON.stringify(pattern);
    const context = new SocketContext([peer, route]);
    if (id === undefined) return this.handleEvent(route, { pattern, data }, context);
    const handler = this.#lookUp(route);
    if (handler === null)
      return peer.send(JSON.stringify({ id, err: noHandler, status: 'error', isDisposed: true }));
    try {
      let response = await handler(data, context);
      if (isObservable(response)) response = await lastValueFrom(response, { defaultValue: undefined });
      peer.send(`{"response":${toJson(response)},"isDisposed":true,"id":${toJson(id)}}`);
    } catch (err) {
      peer.send(JSON.stringify({ id, err, isDisposed: true }));
    }
  }

  #lookUp(route) {
    let handler = this.#routes.get(route);
    if (handler === undefined) {
      handler = this.getHandlerByPattern(route);
      if (this.#routes.size < maxRoutes) this.#routes.set(route, handler);
    }
    return handler;
  }
}

const app = await NestFactory.createMicroservice(SumModule, {
  strategy: new NodeNetServer(),
  logger: ['fatal', 'error'],
});
await app.listen();
announce(app.unwrap().address().port);
