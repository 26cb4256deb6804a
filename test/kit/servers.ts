import { Module, type INestApplication, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type MicroserviceOptions } from '@nestjs/microservices';
import { GevServer, type GevNetworkAddress, type GevServerOptions } from 'nestjs-gev';
import { onCleanup } from './cleanup.js';

/** A logger that keeps its lines. */
export function keeping() {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { lines, logger: { log: write, warn: write, error: write } };
}

/** A server on a free port of 127.0.0.1 with an inline loop. */
export function serverOf(options: GevServerOptions): GevServer {
  return new GevServer({ host: '127.0.0.1', port: 0, loops: 0, ...options });
}

export function portOf(server: GevServer): number {
  return (server.address() as GevNetworkAddress).port;
}

/**
 * A hybrid application with several servers, which listen. It ends with the test.
 *
 * @param servers those made by hand, or what finds those of modules
 */
export async function startAll(
  metadata: ModuleMetadata,
  servers: readonly GevServer[] | ((app: INestApplication) => readonly GevServer[]),
): Promise<INestApplication> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  onCleanup(() => app.close());
  for (const strategy of typeof servers === 'function' ? servers(app) : servers) {
    app.connectMicroservice<MicroserviceOptions>({ strategy });
  }
  await app.init();
  await app.startAllMicroservices();
  return app;
}
