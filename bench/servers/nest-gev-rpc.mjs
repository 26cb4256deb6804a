// This project in the place of Nest's TCP transport. LOOPS in the environment: 0: inline, n: that many threads.
import process from 'node:process';
import { NestFactory } from '@nestjs/core';
import { GevServer, nestJson } from 'nestjs-gev';
import { announce } from './announce.mjs';
import { SumModule } from './sum-module.mjs';

const server = new GevServer({
  host: process.env.HOST ?? '127.0.0.1',
  port: Number(process.env.PORT ?? 0),
  loops: Number(process.env.LOOPS ?? 0),
  codec: nestJson(),
});
const app = await NestFactory.createMicroservice(SumModule, { strategy: server, logger: ['fatal', 'error'] });
await app.listen();
announce(server.address().port);
