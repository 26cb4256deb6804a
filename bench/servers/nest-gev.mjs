// This project as its users run it: a Nest microservice with one controller that returns each message. Plain
// JavaScript, so the decorators are applied by hand, exactly as compiled TypeScript applies them.
//
// Environment: HOST, PORT, LOOPS (0: inline, n: that many threads), CODEC (raw, line or length), PARAMETERS=decorated (`@Payload() data`, which
// sends each message through Nest's parameter pipeline, instead of a bare `data`), COPY=false (handlers borrow the
// reactor's memory, with raw).
import 'reflect-metadata';
import process from 'node:process';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import * as gev from 'nestjs-gev';
import { announce } from './announce.mjs';
import { codecOf } from './codec.mjs';

class EchoController {
  message(data) {
    return data;
  }
}
const { prototype } = EchoController;
if (process.env.PARAMETERS === 'decorated') Payload()(prototype, 'message', 0);
const method = Object.getOwnPropertyDescriptor(prototype, 'message');
Object.defineProperty(prototype, 'message', gev.OnMessage()(prototype, 'message', method) ?? method);
Controller()(EchoController);

class AppModule {}
Module({ controllers: [EchoController] })(AppModule);

const server = new gev.GevServer({
  host: process.env.HOST ?? '127.0.0.1',
  port: Number(process.env.PORT ?? 0),
  loops: Number(process.env.LOOPS ?? 0),
  codec: codecOf(gev),
});
const app = await NestFactory.createMicroservice(AppModule, { strategy: server, logger: ['fatal', 'error'] });
await app.listen();
announce(server.address().port);
