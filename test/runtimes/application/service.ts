// A service of its own process, with shutdown hooks: says {"port":…}, and {"called":true} of each call.
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { GevServer, type GevNetworkAddress } from 'nestjs-gev';
import { setTimeout as pause } from 'node:timers/promises';

const report = (line: object): void => console.log(JSON.stringify(line));

@Controller()
class SlowController {
  @MessagePattern('slow')
  async slow(@Payload() ms: number): Promise<string> {
    report({ called: true });
    await pause(ms);
    return 'done';
  }
}

@Module({ controllers: [SlowController] })
class SlowModule {}

const strategy = new GevServer({ host: '127.0.0.1', port: 0 });
const app = await NestFactory.createMicroservice<MicroserviceOptions>(SlowModule, {
  strategy,
  logger: ['error'],
});
// Of the others, Deno refuses some.
app.enableShutdownHooks(['SIGINT', 'SIGTERM']);
await app.listen();
report({ port: (strategy.address() as GevNetworkAddress).port });
