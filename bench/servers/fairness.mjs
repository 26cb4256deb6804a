// A server whose handlers take as long as they are told. TRANSPORT in the environment: tcp: Nest's own, gev: this project's,
// with LOOPS threads. It also tells how late a timer of 5 ms was since it was asked last.
import 'reflect-metadata';
import process from 'node:process';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { announce } from './announce.mjs';

const TICK_MS = 5;
let delays = [];
let due = performance.now() + TICK_MS;
setInterval(() => {
  const now = performance.now();
  delays.push(Math.max(now - due, 0));
  due = now + TICK_MS;
}, TICK_MS);

class FairnessController {
  work(ms) {
    if (ms === 0) return ms;
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  }
  reply(bytes) {
    return 'x'.repeat(bytes);
  }
  delays() {
    const seen = delays;
    delays = [];
    return seen;
  }
}
const { prototype } = FairnessController;
for (const name of ['work', 'reply', 'delays']) {
  MessagePattern(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}
Controller()(FairnessController);
class FairnessModule {}
Module({ controllers: [FairnessController] })(FairnessModule);

const options = { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) };
const logger = ['fatal', 'error'];
if (process.env.TRANSPORT === 'tcp') {
  const app = await NestFactory.createMicroservice(FairnessModule, {
    transport: Transport.TCP,
    options,
    logger,
  });
  await app.listen();
  announce(app.unwrap().address().port);
} else {
  const { GevServer } = await import('nestjs-gev');
  const server = new GevServer({ ...options, loops: Number(process.env.LOOPS ?? 0) });
  const app = await NestFactory.createMicroservice(FairnessModule, { strategy: server, logger });
  await app.listen();
  announce(server.address().port);
}
