import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { GevServer, raw } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { explain } from '../explain.js';
import { AppModule } from './app.module.js';
import { GUEST_LIMIT } from './guests.controller.js';

// Two limits: the controller's refuses politely; the server's, above it, turns the rest away before any handler runs.
const server = new GevServer({ host, port, loops, maxConnections: GUEST_LIMIT + 2, codec: raw() });
const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy: server });
app.enableShutdownHooks();
await app.listen().catch(explain);
new Logger('max-connections').log(`Listening: ${JSON.stringify(server.address())}`);
