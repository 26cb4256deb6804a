import { Controller, Module, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  ServerTCP,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { GevServer, type GevServerOptions, type GevContext, type GevNetworkAddress } from 'nestjs-gev';
import type { AddressInfo, Server } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { finalize, interval, map, NEVER, of, Subject, takeUntil, type Observable } from 'rxjs';
import { onCleanup } from './cleanup.js';
import { pause } from './until.js';

/** Ours, or Nest's own, unmodified. */
export type ServerKind = 'GevServer' | 'ServerTCP';

export interface RpcService {
  readonly port: number;
  /** Errors and warnings that were logged. */
  readonly lines: string[];
  /** Events received. */
  readonly events: unknown[];
  /** Streams that somebody is subscribed to. */
  readonly streams: () => number;
  /** Requests whose signal has fired (ours only). */
  readonly aborted: () => number;
  close(): Promise<void>;
}

/**
 * A Nest application with handlers of every kind, on a free port of 127.0.0.1. It ends with the test.
 *
 * @param options of ours; Nest's takes the TLS of them
 */
export async function serveRpc(kind: ServerKind, options: GevServerOptions = {}): Promise<RpcService> {
  const lines: string[] = [];
  const events: unknown[] = [];
  let streams = 0;
  let aborted = 0;
  // Nest's server would go on with streams for ever.
  const end = new Subject<void>();
  onCleanup(() => end.next());

  @Controller()
  class Handlers {
    @MessagePattern('sum')
    sum(@Payload() numbers: number[]): number {
      return numbers.reduce((sum, number) => sum + number, 0);
    }

    @MessagePattern({ cmd: 'echo' })
    echo(@Payload() data: unknown): unknown {
      return data;
    }

    /** What is asked for, after so many milliseconds. */
    @MessagePattern('later')
    async later(@Payload() { ms, value }: { ms: number; value: unknown }): Promise<unknown> {
      await pause(ms);
      return value;
    }

    @MessagePattern('never')
    never(@Ctx() context: GevContext): Promise<never> {
      context.signal?.addEventListener('abort', () => aborted++);
      return new Promise(() => undefined);
    }

    @MessagePattern('silence')
    silence(): Observable<never> {
      streams++;
      return NEVER.pipe(
        takeUntil(end),
        finalize(() => streams--),
      );
    }

    @MessagePattern('count')
    count(@Payload() to: number): Observable<number> {
      return of(...Array.from({ length: to }, (_, index) => index + 1));
    }

    /** Ticks without end, so many milliseconds apart. */
    @MessagePattern('ticks')
    ticks(@Payload() ms: number): Observable<number> {
      streams++;
      return interval(ms).pipe(
        takeUntil(end),
        map((tick) => tick + 1),
        finalize(() => streams--),
      );
    }

    @MessagePattern('fail')
    fail(@Payload() error: object): never {
      throw new RpcException(error);
    }

    /** Which service this is. */
    @MessagePattern('port')
    port(): number {
      return portOf(server);
    }

    @MessagePattern('nothing')
    nothing(): void {}

    @MessagePattern('metadata')
    metadata(@Ctx() context: GevContext): unknown {
      return context.getMetadata();
    }

    @EventPattern({ topic: 'note' })
    note(@Payload() data: unknown): void {
      events.push(data);
    }
  }

  @Module({ controllers: [Handlers] })
  class RpcModule {}

  const write = (...line: unknown[]): void => void lines.push(line.join(' '));
  const logger: LoggerService = { log: () => undefined, warn: write, error: write };
  const server =
    kind === 'GevServer'
      ? new GevServer({ host: '127.0.0.1', port: 0, logger, drainTimeout: 100, ...options })
      : new ServerTCP({
          host: '127.0.0.1',
          port: 0,
          ...(options.tlsOptions && { tlsOptions: options.tlsOptions as TlsOptions }),
        });
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(RpcModule, {
    strategy: server,
    logger,
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= app.close());
  onCleanup(close);
  await app.listen();
  return {
    port: portOf(server),
    lines,
    events,
    streams: () => streams,
    aborted: () => aborted,
    close,
  };
}

function portOf(server: GevServer | ServerTCP): number {
  if (server instanceof GevServer) return (server.address() as GevNetworkAddress).port;
  return (server.unwrap<Server>().address() as AddressInfo).port;
}
