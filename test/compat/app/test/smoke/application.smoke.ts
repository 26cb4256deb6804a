import 'reflect-metadata';
import {
  Catch,
  Controller,
  Injectable,
  Module,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Payload, type AsyncMicroserviceOptions } from '@nestjs/microservices';
import { Interval, ScheduleModule } from '@nestjs/schedule';
import {
  Conn,
  GevConnection,
  GevModule,
  GevServer,
  GevTimerRegistry,
  OnClose,
  OnConnect,
  OnMessage,
  Reason,
  RunAfter,
  RunEvery,
  type GevNetworkAddress,
  raw,
} from 'nestjs-gev';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { map, of, type Observable } from 'rxjs';

class Refusal extends Error {}

@Injectable()
class NotSecret implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (String(context.switchToRpc().getData()).includes('secret')) throw new Refusal('secret');
    return context.getType() === 'rpc';
  }
}

@Injectable()
class Trim implements PipeTransform<unknown> {
  transform(value: unknown): unknown {
    return Buffer.isBuffer(value) ? value.toString().trim() : value;
  }
}

@Injectable()
class Bracket implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<string> {
    return next.handle().pipe(map((value) => `<${String(value)}>`));
  }
}

@Catch(Refusal)
class Answer implements ExceptionFilter {
  catch(error: Refusal): Observable<string> {
    return of(`no: ${error.message}`);
  }
}

@Injectable()
class Journal {
  readonly lines: string[] = [];
}

@Controller()
class EchoController {
  constructor(
    private readonly journal: Journal,
    private readonly config: ConfigService,
  ) {}

  @OnConnect()
  async greet(@Conn() conn: GevConnection): Promise<string> {
    this.journal.lines.push(`connect ${conn.state}`);
    return `${this.config.getOrThrow<string>('GREETING')}\n`;
  }

  @OnMessage()
  @UseGuards(NotSecret)
  @UsePipes(Trim)
  @UseInterceptors(Bracket)
  @UseFilters(Answer)
  echo(@Payload() text: string): string {
    return text;
  }

  @OnClose()
  part(@Reason() reason: string): void {
    this.journal.lines.push(`close ${reason}`);
  }
}

@Injectable()
class Clocks {
  readonly runs = { native: 0, once: 0, schedule: 0 };

  @RunEvery({ every: 5, name: 'native' })
  onNative(): void {
    this.runs.native++;
  }

  @RunAfter(5)
  onOnce(): void {
    this.runs.once++;
  }

  @Interval(5)
  onSchedule(): void {
    this.runs.schedule++;
  }
}

@Module({
  imports: [
    ConfigModule.forRoot({
      isGlobal: true,
      ignoreEnvFile: true,
      load: [() => ({ GREETING: 'welcome', PORT: 0 })],
    }),
    ScheduleModule.forRoot(),
    GevModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        codec: raw(),
        host: '127.0.0.1',
        port: config.getOrThrow<number>('PORT'),
        loops: Number(process.env.LOOPS ?? 1),
      }),
    }),
  ],
  controllers: [EchoController],
  providers: [Journal, Clocks],
})
class AppModule {}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `in time: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The text that comes next, up to `length` characters. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = '';
  while (text.length < length) text += String((await once(socket, 'data'))[0]);
  return text;
}

for (const loops of ['0', '2']) {
  void test(`an application on ${loops} loops: handlers, enhancers, timers, configuration, shutdown`, async () => {
    process.env.LOOPS = loops;
    const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
      inject: [GevServer],
      useFactory: (server: GevServer) => ({ strategy: server }),
      logger: false,
    });
    try {
      await app.listen();
      const { port } = app.get(GevServer).address() as GevNetworkAddress;
      const socket = connect(port, '127.0.0.1');
      assert.equal(await read(socket, 8), 'welcome\n');
      socket.write('  hello \n');
      assert.equal(await read(socket, 7), '<hello>');
      socket.write('a secret');
      assert.equal(await read(socket, 10), 'no: secret');
      socket.end();
      const { lines } = app.get(Journal);
      await until(() => lines.length === 2);
      assert.deepEqual(lines, ['connect connecting', 'close peer']);

      const { runs } = app.get(Clocks);
      await until(() => runs.native > 2 && runs.once === 1 && runs.schedule > 2);
      assert.deepEqual(app.get(GevTimerRegistry).names(), ['native']);
    } finally {
      await app.close();
    }
    const { runs } = app.get(Clocks);
    const stopped = { ...runs };
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(runs, stopped, 'no timer runs after close');
    assert.equal(stopped.once, 1);
  });
}
