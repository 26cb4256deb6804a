import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { GevServer } from 'nestjs-gev';
import { AppModule } from './app.module';

async function bootstrap(): Promise<void> {
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
    inject: [GevServer],
    useFactory: (server: GevServer) => ({ strategy: server }),
  });
  app.enableShutdownHooks();
  await app.listen();
  console.log('listening');
}
void bootstrap();
