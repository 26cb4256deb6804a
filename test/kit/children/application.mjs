// What children need to have a Nest application without a compiler for decorators.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Conn, GevServer, nestJson, OnClose, OnConnect, OnMessage, Reason, raw } from 'nestjs-gev';

/**
 * As `serve` of test/kit/serve.ts: functions become methods of a controller. With an `echo` it speaks Nest's wire format.
 */
export async function application(options, handlers = {}, logger = false) {
  class Connections {
    connect(connection) {
      return handlers.connect?.(connection);
    }
    message(data, connection) {
      return handlers.message?.(data, connection);
    }
    close(reason, connection) {
      return handlers.close?.(reason, connection);
    }
    echo(data) {
      return handlers.echo(data);
    }
  }
  if (handlers.connect) decorate(Connections, 'connect', OnConnect(), [Conn()]);
  if (handlers.message) decorate(Connections, 'message', OnMessage(), [Payload(), Conn()]);
  if (handlers.close) decorate(Connections, 'close', OnClose(), [Reason(), Conn()]);
  if (handlers.echo) decorate(Connections, 'echo', MessagePattern('echo'), [Payload()]);
  Controller()(Connections);
  class AppModule {}
  Module({ controllers: [Connections] })(AppModule);

  const server = new GevServer({
    codec: handlers.echo ? nestJson() : raw(),
    ...(options.path === undefined ? { host: '127.0.0.1', port: 0 } : {}),
    ...options,
  });
  const app = await NestFactory.createMicroservice(AppModule, { strategy: server, logger });
  await app.listen();
  return { app, server, port: server.address().port };
}

export function decorate({ prototype }, name, decorator, parameters) {
  parameters.forEach((parameter, index) => parameter(prototype, name, index));
  Reflect.defineMetadata(
    'design:paramtypes',
    parameters.map(() => Object),
    prototype,
    name,
  );
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  Object.defineProperty(prototype, name, Reflect.decorate([decorator], prototype, name, descriptor));
}

/** Tells the test, at once even when this thread is about to be busy. */
export function report(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
