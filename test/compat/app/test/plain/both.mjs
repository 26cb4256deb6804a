// Both halves of the package in one process: what belongs together is one, whichever half it is used by.
import 'reflect-metadata';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as esm from 'nestjs-gev';
import { callOnce } from './check.mjs';

const cjs = createRequire(import.meta.url)('nestjs-gev');
const logger = { log() {}, warn() {}, error() {} };
const at = { host: '127.0.0.1', logger };

assert.notEqual(esm.GevServer, cjs.GevServer, 'these are two builds');
assert.equal(esm.GEV_TRANSPORT, cjs.GEV_TRANSPORT);

for (const [theirs, ours] of [
  [cjs, esm],
  [esm, cjs],
]) {
  // An error and a record of one half mean the same to the other.
  assert.ok(new theirs.GevConnectError('ECONNREFUSED', { port: 1 }) instanceof ours.GevConnectError);
  assert.ok(new theirs.GevConnectError('ECONNREFUSED', { port: 1 }) instanceof ours.GevError);
  assert.ok(!(new theirs.GevTimeoutError('x', 1) instanceof ours.GevConnectError));
  const record = new theirs.GevRecordBuilder(20).setTimeout(5_000).build();
  const client = (port) => {
    const caller = new ours.GevClient({ ...at, port });
    return { send: (pattern) => caller.send(pattern, record), close: () => caller.close() };
  };
  const server = new theirs.GevServer({ ...at, port: 0 });
  assert.equal(await callOnce(server, client, (data) => data + 1), 21);

  // Decorators and tokens of one half, the server and module of the other.
  class Greeter {
    calls = [];
    constructor(server, timers) {
      assert.ok(server instanceof ours.GevServer);
      assert.ok(timers instanceof ours.GevTimerRegistry);
    }
    greet(conn) {
      this.calls.push(`greet ${conn.id > 0}`);
      return JSON.stringify({ hello: true });
    }
    tick() {
      this.calls.push('tick');
    }
  }
  const method = (name) => [
    Greeter.prototype,
    name,
    Object.getOwnPropertyDescriptor(Greeter.prototype, name),
  ];
  const [prototype, name, descriptor] = method('greet');
  Object.defineProperty(prototype, name, theirs.OnConnect()(prototype, name, descriptor) ?? descriptor);
  theirs.Conn()(prototype, name, 0);
  theirs.RunAfter(1)(...method('tick'));
  Controller()(Greeter);
  Inject(theirs.GevServer)(Greeter, undefined, 0);
  Inject(theirs.GevTimerRegistry)(Greeter, undefined, 1);
  class AppModule {}
  Module({ imports: [ours.GevModule.forRoot({ ...at, port: 0 })], controllers: [Greeter] })(AppModule);
  const app = await NestFactory.createMicroservice(AppModule, {
    inject: [ours.GevServer],
    useFactory: (strategy) => ({ strategy }),
    logger: false,
  });
  await app.listen();
  const { port } = app.get(ours.GevServer).address();
  const caller = new theirs.GevClient({ ...at, port });
  await caller.connect();
  const { calls } = app.get(Greeter);
  while (calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(calls.sort(), ['greet true', 'tick']);
  await caller.close();
  await app.close();
}

// Ids of connections are unique, whichever half made them: both count on.
assert.equal(globalThis[Symbol.for('gev:connection-ids')].next > 4, true);
