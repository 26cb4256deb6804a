import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { GevServer, OnMessage, nestJson, raw, type GevNetworkAddress } from 'nestjs-gev';

@Controller()
class EchoController {
  @OnMessage()
  echo(@Payload() data: Buffer): Buffer {
    return data;
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

@Controller()
class MathController {
  @MessagePattern('sum')
  sum(@Payload() numbers: number[]): number {
    return numbers.reduce((total, number) => total + number, 0);
  }
}

@Module({ controllers: [MathController] })
class MathModule {}

export interface Service {
  readonly port: number;
  close(): Promise<void>;
}

async function start(module: Type<unknown>, server: GevServer): Promise<Service> {
  const app = await NestFactory.createMicroservice(module, { strategy: server });
  await app.listen();
  return { port: (server.address() as GevNetworkAddress).port, close: () => app.close() };
}

/** Echoes bytes. */
export function startEcho(): Promise<Service> {
  return start(EchoModule, new GevServer({ host: '127.0.0.1', port: 0, codec: raw() }));
}

/** Adds numbers: the pattern `sum`. */
export function startMath(): Promise<Service> {
  return start(MathModule, new GevServer({ host: '127.0.0.1', port: 0, codec: nestJson() }));
}
