import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Payload, type AsyncMicroserviceOptions } from '@nestjs/microservices';
import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import {
  type GevNetworkAddress,
  GevModule,
  GevServer,
  GevTimerRegistry,
  OnMessage,
  RunAfter,
  RunEvery,
  raw,
} from 'nestjs-gev';
import { createServer, type AddressInfo } from 'node:net';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { settled, until } from '../kit/until.js';

@Injectable()
class Clocks {
  readonly runs = { native: 0, nativeOnce: 0, interval: 0, timeout: 0, cron: 0 };

  @RunEvery(5)
  native(): void {
    this.runs.native++;
  }

  @RunAfter(5)
  nativeOnce(): void {
    this.runs.nativeOnce++;
  }

  @Interval('interval', 5)
  interval(): void {
    this.runs.interval++;
  }

  @Timeout(5)
  timeout(): void {
    this.runs.timeout++;
  }

  @Cron('* * * * * *', { name: 'cron' })
  cron(): void {
    this.runs.cron++;
  }
}

@Controller()
class GreetingController {
  constructor(@Inject(ConfigService) private readonly config: ConfigService) {}

  @OnMessage()
  greet(@Payload() name: Buffer): string {
    return `${this.config.getOrThrow<string>('GREETING')}, ${name.toString()}`;
  }
}

/** A port that nobody has: the system does not give it away again so soon. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.each([0, 2])('with @nestjs/config and @nestjs/schedule on %i loops', (loops) => {
  async function start(port: number) {
    @Module({
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          ignoreEnvFile: true,
          load: [() => ({ PORT: port, GREETING: 'hello' })],
        }),
        ScheduleModule.forRoot(),
        GevModule.forRootAsync({
          inject: [ConfigService],
          useFactory: (config: ConfigService) => ({
            codec: raw(),
            host: '127.0.0.1',
            port: config.getOrThrow<number>('PORT'),
            loops,
          }),
        }),
      ],
      controllers: [GreetingController],
      providers: [Clocks],
    })
    class AppModule {}
    const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
      inject: [GevServer],
      useFactory: (server: GevServer) => ({ strategy: server }),
      logger: false,
    });
    onCleanup(() => app.close());
    await app.listen();
    return app;
  }

  it('S3: ConfigService decides the port', async () => {
    const port = await freePort();
    const app = await start(port);
    expect((app.get(GevServer).address() as GevNetworkAddress).port).toBe(port);
    const peer = (await Peer.connect(port)).read();
    peer.write('world');
    expect(await peer.text(12)).toBe('hello, world');
  });

  it('T3: @Interval and @RunEvery run side by side, each in its own registry, and both stop on close', async () => {
    const app = await start(0);
    const { runs } = app.get(Clocks);
    await until(() => runs.native > 3 && runs.interval > 3 && runs.cron > 0);
    expect(runs).toMatchObject({ nativeOnce: 1, timeout: 1 });
    expect(app.get(GevTimerRegistry).names()).toEqual(['Clocks.native']);
    expect(app.get(SchedulerRegistry).getIntervals()).toEqual(['interval']);
    await app.close();
    const after = { ...runs };
    await settled(() => runs.native + runs.interval, 60);
    expect(runs).toEqual(after);
    expect(app.get(GevTimerRegistry).names()).toEqual([]);
  });
});
