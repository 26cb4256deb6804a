// This project as its users run it: a Nest microservice, its server of a GevModule, with one controller that returns each
// message. Plain JavaScript, so the decorators are applied by hand, exactly as compiled TypeScript applies them.
//
// Environment: HOST, PORT, LOOPS (0: inline, n: that many threads), CODEC (raw, line or length), PIPELINE=1 (a pipe
// is bound, so that each message goes through Nest's pipeline), COPY=false (handlers borrow the reactor's memory, with raw).
import 'reflect-metadata';
import process from 'node:process';
import { Controller, Module, UsePipes } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as gev from 'nestjs-gev';
import { announce } from './announce.mjs';
import { codecOf } from './codec.mjs';

class EchoController {
  message(data) {
    return data;
  }
}
const { prototype } = EchoController;
const method = Object.getOwnPropertyDescriptor(prototype, 'message');
Object.defineProperty(prototype, 'message', gev.OnMessage()(prototype, 'message', method) ?? method);
if (process.env.PIPELINE) UsePipes({ transform: (value) => value })(EchoController);
Controller()(EchoController);

const options = {
  host: process.env.HOST ?? '127.0.0.1',
  port: Number(process.env.PORT ?? 0),
  loops: Number(process.env.LOOPS ?? 0),
  codec: codecOf(gev),
};
class AppModule {}
Module({ imports: [gev.GevModule.forRoot(options)], controllers: [EchoController] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  inject: [gev.GevServer],
  useFactory: (server) => ({ strategy: server }),
  logger: ['fatal', 'error'],
});
await app.listen();
announce(app.unwrap().address().port);
