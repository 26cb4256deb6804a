import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  Logger,
  Module,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type LoggerService,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload, type MicroserviceOptions } from '@nestjs/microservices';
import { GEV_TRANSPORT, GevServer } from 'nestjs-gev';
import { firstValueFrom, map, throwError, type Observable } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { nestClient } from '../kit/rpc.js';
import { until } from '../kit/until.js';

let log: string[] = [];

@Controller()
class Both {
  private readonly logger = new Logger('Both');

  @Get()
  get(): string {
    return 'over HTTP';
  }

  @MessagePattern('say')
  say(@Payload() text: string): string {
    this.logger.log(`said ${text}`);
    if (text === 'fail') throw new Error('failed');
    return text;
  }

  @MessagePattern('ours', GEV_TRANSPORT)
  ours(@Payload() text: string): string {
    return text;
  }

  @EventPattern('note')
  note(@Payload() text: string): void {
    log.push(`note ${text}`);
  }
}

@Module({ controllers: [Both] })
class AppModule {}

class OnlyKnown implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    log.push(`guard ${context.getType()}`);
    return context.getType() !== 'rpc' || context.switchToRpc().getData() !== 'stranger';
  }
}

class Upper implements PipeTransform<unknown> {
  transform(value: unknown): unknown {
    return typeof value === 'string' && value !== 'fail' ? value.toUpperCase() : value;
  }
}

class Bracket implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((value) => `[${String(value)}]`));
  }
}

@Catch()
class Tell implements ExceptionFilter<Error> {
  catch(error: Error): Observable<never> {
    return throwError(() => ({ told: error.message }));
  }
}

/** A logger that keeps what it is told. */
@Injectable()
class Keep implements LoggerService {
  readonly lines: string[] = [];
  log(message: unknown, ...rest: unknown[]): void {
    this.lines.push([...rest.slice(-1), message].join(': '));
  }
  warn = this.log;
  error = this.log;
}

const strategy = (loops: number): GevServer => new GevServer({ loops, host: '127.0.0.1', port: 0 });
const portOf = (server: GevServer): number => (server.address() as { port: number }).port;

describe.each([0, 2])('a hybrid application on %i loops', (loops) => {
  async function hybrid(inheritAppConfig: boolean): Promise<{ app: INestApplication; server: GevServer }> {
    log = [];
    const app = await NestFactory.create(AppModule, { logger: false });
    onCleanup(() => app.close());
    app.useGlobalGuards(new OnlyKnown());
    app.useGlobalPipes(new Upper());
    app.useGlobalInterceptors(new Bracket());
    app.useGlobalFilters(new Tell());
    const server = strategy(loops);
    app.connectMicroservice<MicroserviceOptions>({ strategy: server }, { inheritAppConfig });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    return { app, server };
  }

  it('C7: global guards, pipes, interceptors and filters hold for RPC with inheritAppConfig', async () => {
    const { app, server } = await hybrid(true);
    const client = nestClient(portOf(server));
    const ask = (pattern: string, data: string) => firstValueFrom(client.send<string>(pattern, data));
    expect(await ask('say', 'hello')).toBe('[HELLO]');
    expect(await ask('ours', 'hello')).toBe('[HELLO]');
    await expect(ask('say', 'stranger')).rejects.toEqual({ told: 'Forbidden resource' });
    await expect(ask('say', 'fail')).rejects.toEqual({ told: 'failed' });
    await firstValueFrom(client.emit('note', 'this'));
    await until(() => log.includes('note THIS'));
    expect(await (await fetch(await app.getUrl())).text()).toBe('[over HTTP]');
    expect(new Set(log)).toEqual(new Set(['guard rpc', 'guard http', 'note THIS']));
  });

  it('C7: and do not without', async () => {
    const { server } = await hybrid(false);
    const client = nestClient(portOf(server));
    expect(await firstValueFrom(client.send('say', 'stranger'))).toBe('stranger');
    expect(log).toEqual([]);
  });

  it('S12: close() of the application closes the server', async () => {
    const { app, server } = await hybrid(true);
    const states: string[] = [];
    server.status.subscribe((state) => states.push(state));
    const client = nestClient(portOf(server));
    await firstValueFrom(client.send('say', 'hello'));
    await app.close();
    expect(states).toEqual(['connected', 'disconnected']);
    expect(server.address()).toBeNull();
    await expect(firstValueFrom(client.send('say', 'hello'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('S11: log lines wait for the logger of the application with bufferLogs', async () => {
    log = [];
    const logger = new Keep();
    const server = strategy(loops);
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      strategy: server,
      bufferLogs: true,
      autoFlushLogs: false, // else it ends with init()
    });
    onCleanup(() => app.close());
    await app.listen();
    const client = nestClient(portOf(server));
    expect(await firstValueFrom(client.send('say', 'hello'))).toBe('hello');
    await firstValueFrom(client.emit('nobody cares', 1));
    expect(await firstValueFrom(client.send('say', 'again'))).toBe('again');
    expect(logger.lines).toEqual([]);
    app.useLogger(logger);
    app.flushLogs();
    const own = logger.lines.filter((line) => /^(Both|GevServer)/.test(line));
    expect(own).toEqual([
      'Both: said hello',
      expect.stringMatching(/^GevServer: .*nobody cares/),
      'Both: said again',
    ]);
  });
});
