// One server of a fleet (fleet.mjs): counts what it handles, and tells its parent when it has stopped. TRANSPORT in the
// environment: tcp: Nest's own, gev: this project's; SHARED: it shares its port.
import 'reflect-metadata';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Transport } from '@nestjs/microservices';

const handled = { requests: [], events: [] };

class FleetController {
  async work({ id, ms }) {
    handled.requests.push(id);
    if (ms > 0) await sleep(ms);
    return id;
  }
  noted(id) {
    handled.events.push(id);
  }
}
const { prototype } = FleetController;
const describe = (name, decorate) =>
  decorate(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
describe('work', MessagePattern);
describe('noted', EventPattern);
Controller()(FleetController);
class FleetModule {}
Module({ controllers: [FleetController] })(FleetModule);

const options = { host: '127.0.0.1', port: Number(process.env.PORT ?? 0) };
const logger = ['fatal'];
let app;
let port;
if (process.env.TRANSPORT === 'tcp') {
  app = await NestFactory.createMicroservice(FleetModule, { transport: Transport.TCP, options, logger });
  await app.listen();
  ({ port } = app.unwrap().address());
} else {
  const { GevServer } = await import('nestjs-gev');
  const strategy = new GevServer({ ...options, loops: 0, reusePort: process.env.SHARED === '1' });
  app = await NestFactory.createMicroservice(FleetModule, { strategy, logger });
  await app.listen();
  ({ port } = strategy.address());
}
process.once('message', async () => {
  const began = performance.now();
  await app.close();
  process.send({ handled, closeMillis: performance.now() - began }, () => process.disconnect());
});
process.send({ port });
