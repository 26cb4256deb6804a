import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { host, loops, port } from '../env.js';
import { explain } from '../explain.js';
import { AppModule } from './app.module.js';
import { modbus } from './modbus.codec.js';

const server = new GevServer({ host, port, loops, codec: modbus() });
const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, { strategy: server });
app.enableShutdownHooks();
await app.listen().catch(explain);
new Logger('modbus').log(`Listening: ${JSON.stringify(server.address())}`);
