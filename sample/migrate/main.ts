import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { explain } from '../explain.js';
import { AppModule } from './app.module.js';

const { TRANSPORT = 'gev' } = process.env;

// The service's side of a migration is one of these lines for the other. Its clients may be on either transport.
const app = await NestFactory.createMicroservice<MicroserviceOptions>(
  AppModule,
  TRANSPORT === 'tcp'
    ? { transport: Transport.TCP, options: { host, port } }
    : { strategy: new GevServer({ host, port, loops }) },
);
app.enableShutdownHooks();
await app.listen().catch(explain);
const server = app.unwrap<{ address(): unknown }>();
new Logger('migrate').log(`Listening: ${JSON.stringify(server.address())} (${TRANSPORT})`);
