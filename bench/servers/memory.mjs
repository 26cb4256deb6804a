// A server with a small heap that is asked for long replies. TRANSPORT in the environment: tcp: Nest's own, gev: this
// project's, with LOOPS threads; MAX_TOTAL_SEND_BUFFER and MAX_PARTIAL_BYTES are its budgets.
import 'reflect-metadata';
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { announce } from './announce.mjs';

const megabyte = 'x'.repeat(1_000_000);

class MemoryController {
  ping(data) {
    return data;
  }
  async much() {
    return megabyte;
  }
  /** Not before everybody else has begun. */
  async later() {
    await turn();
    return megabyte;
  }
}
const { prototype } = MemoryController;
for (const name of ['ping', 'much', 'later']) {
  MessagePattern(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
}
Controller()(MemoryController);
class MemoryModule {}
Module({ controllers: [MemoryController] })(MemoryModule);

const options = { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) };
const logger = ['fatal', 'error'];
if (process.env.TRANSPORT === 'tcp') {
  const app = await NestFactory.createMicroservice(MemoryModule, {
    transport: Transport.TCP,
    options,
    logger,
  });
  await app.listen();
  announce(app.unwrap().address().port);
} else {
  const { GevServer } = await import('nestjs-gev');
  const silent = () => undefined;
  const server = new GevServer({
    ...options,
    loops: Number(process.env.LOOPS ?? 0),
    maxTotalSendBuffer: Number(process.env.MAX_TOTAL_SEND_BUFFER),
    maxPartialBytes: Number(process.env.MAX_PARTIAL_BYTES),
    logger: { log: silent, warn: silent, error: silent },
  });
  const app = await NestFactory.createMicroservice(MemoryModule, { strategy: server, logger });
  await app.listen();
  announce(server.address().port);
}
