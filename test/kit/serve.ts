import { Controller, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, type MicroserviceOptions } from '@nestjs/microservices';
import {
  Conn,
  type GevConnection,
  type GevNetworkAddress,
  GevServer,
  type GevServerOptions,
  OnClose,
  OnConnect,
  OnMessage,
  Reason,
  raw,
} from 'nestjs-gev';
import { onCleanup } from './cleanup.js';
import { until } from './until.js';

export interface Handlers {
  connect?(connection: GevConnection): unknown;
  message?(data: Buffer, connection: GevConnection): unknown;
  close?(reason: string, connection: GevConnection): unknown;
}

export interface Service {
  readonly server: GevServer;
  readonly port: number;
  /** What was logged. */
  readonly lines: string[];
  /** Every connection so far, open or not. */
  readonly connections: GevConnection[];
  /** The connection that is accepted next, or the first there was. */
  connection(index?: number): Promise<GevConnection>;
  close(): Promise<void>;
}

/**
 * A Nest application on a free port of 127.0.0.1. It ends with the test.
 *
 * @param handlers functions to make controllers of, or a module's own controllers and providers
 */
export async function serve(
  options: GevServerOptions = {},
  handlers: Handlers | ModuleMetadata = {},
): Promise<Service> {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const server = new GevServer({
    codec: raw(),
    ...(options.path === undefined && options.listeners === undefined ? { port: 0 } : {}),
    ...(options.path === undefined ? { host: '127.0.0.1' } : {}),
    logger: { log: write, warn: write, error: write },
    ...options,
  });
  const connections: GevConnection[] = [];
  server.on('connection', (connection) => connections.push(connection));

  @Module('controllers' in handlers ? handlers : { controllers: controllersOf(handlers as Handlers) })
  class AppModule {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    strategy: server,
    logger: false,
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= app.close());
  onCleanup(close);
  await app.listen();
  return {
    server,
    port: (server.address() as GevNetworkAddress).port,
    lines,
    connections,
    async connection(index = 0) {
      await until(() => connections.length > index, `connection ${index} is accepted`);
      return connections[index]!;
    },
    close,
  };
}

function controllersOf({ connect, message, close }: Handlers) {
  const controllers = [];
  if (connect !== undefined) {
    @Controller()
    class Connects {
      @OnConnect()
      connect(@Conn() connection: GevConnection): unknown {
        return connect!(connection);
      }
    }
    controllers.push(Connects);
  }
  if (message !== undefined) {
    @Controller()
    class Messages {
      @OnMessage()
      message(@Payload() data: Buffer, @Conn() connection: GevConnection): unknown {
        return message!(data, connection);
      }
    }
    controllers.push(Messages);
  }
  if (close !== undefined) {
    @Controller()
    class Closes {
      @OnClose()
      close(@Reason() reason: string, @Conn() connection: GevConnection): unknown {
        return close!(reason, connection);
      }
    }
    controllers.push(Closes);
  }
  return controllers;
}
