#!/usr/bin/env node
// A thousand users at once, each of whom must see nobody but himself. Plain JavaScript on dist/, so that any Node runs it:
//
//   node test/nodes/isolation.mjs        one line a case; exit code 1 if a user saw another's store
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Controller, Module, UseGuards, UseInterceptors, UsePipes } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { context as traces, createContextKey } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ClsModule, ClsServiceManager } from 'nestjs-cls';
import { GevClient, GevServer, OnMessage, nestJson, raw } from 'nestjs-gev';
import { Observable } from 'rxjs';

const USERS = Number(process.env.USERS ?? 1000);
const SHARED = 10; // connections, where users share them
const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
const storage = new AsyncLocalStorage();
const TRACE = createContextKey('user');
traces.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());

const userOf = (context) => String(context.switchToRpc().getData());
/** Whoever comes first must find nobody there. */
const enter = (found, user, entering) => {
  if (found !== undefined) throw new Error(`${user} found ${found}`);
  return entering();
};
const clsUser = () => ClsServiceManager.getClsService().get('user');
const setUp = { mount: true, setup: (cls, context) => cls.set('user', userOf(context)) };

/** How a user is entered, and how a handler asks for it. */
const ways = {
  'enterWith in a guard': {
    enhance: UseGuards({
      canActivate: (context) =>
        enter(storage.getStore(), userOf(context), () => {
          storage.enterWith(userOf(context));
          return true;
        }),
    }),
    read: () => storage.getStore(),
  },
  'enterWith in a pipe': {
    enhance: UsePipes({
      transform: (data) =>
        enter(storage.getStore(), String(data), () => {
          storage.enterWith(String(data));
          return data;
        }),
    }),
    read: () => storage.getStore(),
  },
  'ClsGuard of nestjs-cls': { imports: [ClsModule.forRoot({ guard: setUp })], read: clsUser },
  'ClsInterceptor of nestjs-cls': { imports: [ClsModule.forRoot({ interceptor: setUp })], read: clsUser },
  "OpenTelemetry's context manager": {
    enhance: UseInterceptors({
      intercept: (context, next) =>
        new Observable((subscriber) =>
          enter(traces.active().getValue(TRACE), userOf(context), () =>
            traces.with(traces.active().setValue(TRACE, userOf(context)), () =>
              next.handle().subscribe(subscriber),
            ),
          ),
        ),
    }),
    read: () => traces.active().getValue(TRACE),
  },
};

function controllerOf(way, handler, decorator) {
  class Users {
    handle(data) {
      return handler(String(data));
    }
  }
  const { prototype } = Users;
  Payload()(prototype, 'handle', 0);
  Reflect.defineMetadata('design:paramtypes', [Object], prototype, 'handle');
  const decorators = [decorator, way.enhance].filter(Boolean);
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'handle');
  Object.defineProperty(prototype, 'handle', Reflect.decorate(decorators, prototype, 'handle', descriptor));
  Controller()(Users);
  return Users;
}

async function serve(way, options, decorator, handler) {
  class AppModule {}
  Module({ imports: way.imports ?? [], controllers: [controllerOf(way, handler, decorator)] })(AppModule);
  const server = new GevServer({ host: '127.0.0.1', port: 0, ...options });
  const app = await NestFactory.createMicroservice(AppModule, { strategy: server, logger: ['error'] });
  // Not even the one who starts the server is seen by messages.
  await storage.run('whoever starts', () => app.listen());
  return { app, port: server.address().port };
}

/** Answers with whom it sees, late enough for all the others to have come meanwhile. */
const answerer = (way) => async () => {
  const before = way.read();
  await new Promise((resolve) => setImmediate(resolve));
  const after = way.read();
  return before === after ? after : `${before}, then ${after}`;
};

/** All users at once. Each asks as himself, and must still be himself when he is answered. */
function requests(port, loops, connections) {
  const client = new GevClient({ host: '127.0.0.1', port, loops, connections });
  const ask = (user) =>
    storage.run(
      user,
      () =>
        new Promise((resolve, reject) =>
          client.send('who', user).subscribe({
            next: (seen) => resolve({ user, seen, asking: storage.getStore() }),
            error: reject,
          }),
        ),
    );
  return Promise.all(users.map(ask)).finally(() => client.close());
}

/** One connection after the other's message; `connections` of them at a time. */
async function chunks(port, connections) {
  const results = [];
  const waiting = [...users];
  const one = async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const share = Math.ceil(users.length / connections);
    for (let user = waiting.shift(), count = 1; user !== undefined; user = waiting.shift(), count++) {
      socket.write(user);
      const [data] = await once(socket, 'data');
      results.push({ user, seen: data.toString(), asking: user });
      if (count === share) break;
    }
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, one));
  return results;
}

function check(name, results) {
  const strange = results.filter(({ user, seen, asking }) => seen !== user || asking !== user);
  console.log(`${strange.length === 0 ? 'ok' : 'FAILED'} ${name}`);
  for (const result of strange.slice(0, 3)) console.log('  ', result);
  if (strange.length > 0 || results.length !== users.length) process.exitCode = 1;
}

for (const [name, way] of Object.entries(ways)) {
  for (const loops of [0, 2]) {
    for (const [sharing, connections] of [
      ['shared', SHARED],
      ['separate', USERS],
    ]) {
      const rpc = await serve(way, { codec: nestJson(), loops }, MessagePattern('who'), answerer(way));
      const title = `${name}, ${sharing} connections, ${loops} loops`;
      // A client keeps a connection a user where there are as many.
      check(`${title}, RPC`, await requests(rpc.port, loops, sharing === 'shared' ? SHARED : 100));
      await rpc.app.close();
      const bytes = await serve(way, { codec: raw(), loops }, OnMessage(), answerer(way));
      check(`${title}, raw`, await chunks(bytes.port, connections));
      await bytes.app.close();
    }
  }
}

/** What is thrown where nobody catches it surfaces each time, and neither ids nor stores are left behind. */
async function uncaught(loops) {
  const way = ways['enterWith in a guard'];
  const errors = [];
  const depths = new Map();
  const onError = (error) => errors.push(error.message);
  process.on('uncaughtException', onError);
  const hook = createHook({
    before: (id) => depths.set(id, (depths.get(id) ?? 0) + 1),
    after: (id) => depths.set(id, (depths.get(id) ?? 0) - 1),
  });
  const enabledIn = await new Promise((resolve) =>
    setImmediate(() => {
      hook.enable();
      resolve(executionAsyncId()); // its end is seen without its beginning
    }),
  );
  const handler = async (user) => {
    if (Number(user.slice('user-'.length)) < 12) {
      process.nextTick(() => {
        throw new Error(user);
      });
    }
    return way.read();
  };
  const { app, port } = await serve(way, { codec: nestJson(), loops }, MessagePattern('who'), handler);
  check(`12 uncaught exceptions, then clean messages, ${loops} loops`, await requests(port, loops, SHARED));
  await app.close();
  await new Promise((resolve) => setImmediate(resolve));
  hook.disable();
  process.off('uncaughtException', onError);
  assert.deepEqual(errors.sort(), users.slice(0, 12).sort());
  const own = [enabledIn, executionAsyncId()];
  const unbalanced = [...depths].filter(([id, depth]) => depth !== 0 && !own.includes(id));
  assert.deepEqual(unbalanced, [], 'every before hook has its after hook');
}
for (const loops of [0, 2]) await uncaught(loops);
