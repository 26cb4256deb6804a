// An RPC server in a process of its own, with shutdown hooks. It reports {"port":…}, {"busy":true} when a thousand
// requests have begun, and {"hook":…} for each step of its end.
//
//   node rpc.mjs <options of the server as JSON> <{"hybrid":…} as JSON>
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { setTimeout as pause } from 'node:timers/promises';
import { interval } from 'rxjs';
import { decorate, report } from './application.mjs';

const [, , options, behaviour = '{}'] = process.argv;
let begun = 0;

class Work {
  async slow(data) {
    if (++begun === 1_000) report({ busy: true });
    await pause(150);
    return data;
  }
  ticks(every) {
    return interval(every);
  }
  onModuleDestroy() {
    report({ hook: 'onModuleDestroy' });
  }
  beforeApplicationShutdown() {
    report({ hook: 'beforeApplicationShutdown' });
  }
  onApplicationShutdown() {
    report({ hook: 'onApplicationShutdown' });
  }
}
decorate(Work, 'slow', MessagePattern('slow'), [Payload()]);
decorate(Work, 'ticks', MessagePattern('ticks'), [Payload()]);
Controller()(Work);
class AppModule {}
Module({ controllers: [Work] })(AppModule);

const server = new GevServer({ host: '127.0.0.1', port: 0, ...JSON.parse(options) });
server.on('close', () => report({ hook: 'server closed' }));
const settings = { logger: ['error'] };

if (JSON.parse(behaviour).hybrid) {
  const app = await NestFactory.create(AppModule, settings);
  app.enableShutdownHooks();
  app.connectMicroservice({ strategy: server });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
} else {
  const app = await NestFactory.createMicroservice(AppModule, { strategy: server, ...settings });
  app.enableShutdownHooks();
  await app.listen();
}
report({ port: server.address().port });
