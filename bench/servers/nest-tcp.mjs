// Nest's own TCP transport, as it comes out of the box.
import process from 'node:process';
import { NestFactory } from '@nestjs/core';
import { Transport } from '@nestjs/microservices';
import { announce } from './announce.mjs';
import { SumModule } from './sum-module.mjs';

const app = await NestFactory.createMicroservice(SumModule, {
  transport: Transport.TCP,
  options: { host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 0) },
  logger: ['fatal', 'error'],
});
await app.listen();
announce(app.unwrap().address().port);
