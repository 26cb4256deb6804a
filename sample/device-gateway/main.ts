import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { type GevServer, getGevServerToken } from 'nestjs-gev';
import { AppModule } from './app.module.js';
import type { Settings } from './settings.js';

/** A port that is taken, a setting that is missing: whoever starts it needs the message, not the stack. */
function giveUp(error: Error): never {
  console.error(error.message);
  process.exit(1);
}

async function bootstrap() {
  const app = await NestFactory.create(AppModule, { abortOnError: false });
  const config = app.get<ConfigService<Settings, true>>(ConfigService);
  const server = app.get<GevServer>(getGevServerToken('devices'));
  app.connectMicroservice<MicroserviceOptions>({ strategy: server }, { inheritAppConfig: true });
  app.enableShutdownHooks();
  await app.startAllMicroservices();
  await app.listen(config.get('HTTP_PORT', { infer: true }), config.get('HOST', { infer: true }));
  process.off('uncaughtException', giveUp);
  new Logger('device-gateway').log(
    `Listening: ${JSON.stringify(server.address())}, ${await app.getUrl()}/devices`,
  );
}

process.on('uncaughtException', giveUp);
void bootstrap();
