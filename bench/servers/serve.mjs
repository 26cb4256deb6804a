import process from 'node:process';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { announce } from './announce.mjs';

/**
 * Serves methods of a controller by their names: TRANSPORT=tcp on Nest's own transport, else on this project's with LOOPS
 * threads. Plain JavaScript, so the decorators are applied by hand, exactly as compiled TypeScript applies them.
 *
 * @param {Function} controller with `@Controller()` applied
 * @param {readonly string[]} methods
 * @param {object} gevOptions for this project's server
 */
export async function serve(controller, methods, gevOptions = {}) {
  const { prototype } = controller;
  for (const name of methods) {
    MessagePattern(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
  }
  class ServiceModule {}
  Module({ controllers: [controller] })(ServiceModule);
  const options = { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) };
  const logger = ['fatal', 'error'];
  if (process.env.TRANSPORT === 'tcp') {
    const app = await NestFactory.createMicroservice(ServiceModule, {
      transport: Transport.TCP,
      options,
      logger,
    });
    await app.listen();
    announce(app.unwrap().address().port);
  } else {
    const { GevServer } = await import('nestjs-gev');
    const server = new GevServer({ ...options, loops: Number(process.env.LOOPS ?? 0), ...gevOptions });
    const app = await NestFactory.createMicroservice(ServiceModule, { strategy: server, logger });
    await app.listen();
    announce(server.address().port);
  }
}
