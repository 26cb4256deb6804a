import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { explain } from '../explain.js';
import { AppModule } from './app.module.js';

// GevModule makes the server, so that controllers can inject it; here it becomes the application's strategy.
const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
  inject: [GevServer],
  useFactory: (server: GevServer) => ({ strategy: server }),
});
app.enableShutdownHooks();
await app.listen().catch(explain);
new Logger('line-chat').log(`Listening: ${JSON.stringify(app.get(GevServer).address())}`);
