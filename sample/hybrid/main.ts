import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { explain } from '../explain.js';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
const server = app.get(GevServer);
app.connectMicroservice<MicroserviceOptions>({ strategy: server }, { inheritAppConfig: true });
app.enableShutdownHooks();
await app.startAllMicroservices().catch(explain);
await app.listen(process.env.HTTP_PORT ?? 3000).catch(explain);
new Logger('hybrid').log(`Listening: ${JSON.stringify(server.address())}, ${await app.getUrl()}/connections`);
