import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  ClassSerializerInterceptor,
  Controller,
  Module,
  ValidationPipe,
  type ArgumentsHost,
  type ExceptionFilter,
  type INestApplication,
  type INestMicroservice,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, NestFactory, Reflector } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, RpcException, type MicroserviceOptions } from '@nestjs/microservices';
import { IsInt } from 'class-validator';
import {
  Conn,
  GevConnection,
  GevContext,
  OnClose,
  OnConnect,
  OnMessage,
  raw,
  Reason,
  type CloseReason,
  type GevServerOptions,
} from 'nestjs-gev';
import { catchError, firstValueFrom, of, timeout, type Observable } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { clientOf } from '../kit/rpc-client.js';
import { keeping, portOf, serverOf } from '../kit/servers.js';
import { until } from '../kit/until.js';

let log: unknown[] = [];

class Order {
  @IsInt()
  amount!: number;
}

@Controller()
class Plain {
  @OnConnect()
  plain(conn: GevConnection): void {
    log.push(['plain', typeof conn.send]);
  }

  @OnConnect()
  payload(@Payload() conn: GevConnection, @Ctx() context: GevContext): void {
    log.push(['payload', conn === context.getConnection()]);
  }

  @OnConnect()
  conn(@Conn() conn: GevConnection): void {
    log.push(['conn', typeof conn.send]);
  }

  @OnMessage()
  message(@Payload() data: Buffer, @Conn() conn: GevConnection): Buffer {
    log.push(['message', data.toString(), typeof conn.send]);
    return data;
  }

  @OnMessage()
  first(data: Buffer): void {
    log.push(['first', data.toString()]);
  }

  @OnClose()
  close(@Reason() reason: CloseReason, @Conn() conn: GevConnection): void {
    log.push(['close', reason, typeof conn.send]);
  }

  @OnClose()
  closed(reason: CloseReason): void {
    log.push(['closed', reason]);
  }
}

@Controller()
class Orders {
  @OnConnect()
  conn(@Conn() conn: GevConnection): void {
    log.push(['conn', typeof conn.send]);
  }

  @MessagePattern('order')
  order(@Payload() order: Order, @Conn() conn: GevConnection): unknown {
    return [order instanceof Order, typeof conn.send];
  }
}

type Providers = { provide: unknown; useValue?: unknown; useFactory?: unknown; inject?: unknown[] }[];

async function start(
  options: GevServerOptions,
  providers: Providers,
  configure: (app: INestApplication | INestMicroservice) => unknown = () => undefined,
  hybrid = false,
) {
  log = [];
  const { lines, logger } = keeping();
  const server = serverOf({ logger, ...options });

  const controllers = options.codec === undefined ? [Orders] : [Plain];
  @Module({ controllers, providers: providers as [] })
  class AppModule {}
  if (hybrid) {
    const app = await NestFactory.create(AppModule, { logger: false });
    onCleanup(() => app.close());
    configure(app);
    app.connectMicroservice<MicroserviceOptions>({ strategy: server }, { inheritAppConfig: true });
    await app.startAllMicroservices();
  } else {
    const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      strategy: server,
      logger: false,
    });
    onCleanup(() => app.close());
    configure(app);
    await app.listen();
  }
  return { server, lines };
}

/** What one connection with one message brings about. */
async function converse(port: number): Promise<Peer> {
  const peer = (await Peer.connect(port)).read();
  peer.write('hi');
  expect(await peer.text(2)).toBe('hi');
  peer.socket.end();
  await until(() => log.some((entry) => (entry as string[])[0] === 'closed'));
  return peer;
}

const UNTOUCHED = [
  ['plain', 'function'],
  ['payload', true],
  ['conn', 'function'],
  ['message', 'hi', 'function'],
  ['first', 'hi'],
  ['close', 'peer', 'function'],
  ['closed', 'peer'],
];

describe('a global ValidationPipe', () => {
  const pipes = [
    { transform: true },
    { transform: true, whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true },
    { transform: true, transformOptions: { enableImplicitConversion: true } },
  ];

  it.each(pipes)('C7: leaves connections and bytes alone: %p', async (options) => {
    const pipe = new ValidationPipe(options);
    const ways = [
      () => start({ codec: raw() }, [{ provide: APP_PIPE, useValue: pipe }]),
      () => start({ codec: raw() }, [], (app) => app.useGlobalPipes(pipe)),
      () => start({ codec: raw() }, [], (app) => app.useGlobalPipes(pipe), true),
    ];
    for (const way of ways) {
      const { server, lines } = await way();
      await converse(portOf(server));
      expect(lines).toEqual([]);
      expect(log).toEqual(UNTOUCHED);
    }
  });

  it('C7: leaves what @Conn() gives alone where it validates custom parameters, too', async () => {
    const pipe = new ValidationPipe({ transform: true, validateCustomDecorators: true });
    const { server, lines } = await start({}, [{ provide: APP_PIPE, useValue: pipe }]);
    const client = clientOf({ port: portOf(server), loops: 0 });
    expect(await firstValueFrom(client.send('order', { amount: 5 }))).toEqual([true, 'function']);
    expect(log).toEqual(expect.arrayContaining([['conn', 'function']]));
    expect(lines).toEqual([]);
  });

  it('C7: validates and transforms what a request brings', async () => {
    const { server } = await start({}, [
      { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true }) },
    ]);
    const client = clientOf({ port: portOf(server), loops: 0 });
    expect(await firstValueFrom(client.send('order', { amount: 5 }))).toEqual([true, 'function']);
    await expect(firstValueFrom(client.send('order', { amount: 'x' }))).rejects.toMatchObject({
      status: 'error',
    });
    expect(await firstValueFrom(client.send('order', { amount: 6 }))).toEqual([true, 'function']);
  });
});

describe('other global enhancers', () => {
  it('C7: pipes made for HTTP refuse what they do not understand, and the log says so', async () => {
    class OnlyOrders implements PipeTransform {
      transform(value: unknown): unknown {
        if (Buffer.isBuffer(value)) throw new RpcException('no order');
        return value;
      }
    }
    const { server, lines } = await start({ codec: raw() }, [
      { provide: APP_PIPE, useValue: new OnlyOrders() },
    ]);
    const peer = await Peer.connect(portOf(server));
    peer.write('hi');
    await until(() => lines.length === 2);
    expect(lines).toEqual([
      expect.stringMatching(/^Plain\.message failed on .*: no order$/),
      expect.stringMatching(/^Plain\.first failed on .*: no order$/),
    ]);
    expect(server.stats().open).toBe(1);
  });

  it('C7: serializers of classes leave bytes as they are', async () => {
    const serializer = { provide: APP_INTERCEPTOR, inject: [Reflector] };
    const useFactory = (reflector: Reflector) => new ClassSerializerInterceptor(reflector);
    const { server, lines } = await start({ codec: raw() }, [{ ...serializer, useFactory }]);
    await converse(portOf(server));
    expect(lines).toEqual([]);
    expect(log).toEqual(expect.arrayContaining(UNTOUCHED));
  });

  it('C7: time limits and catchers in interceptors concern the call only', async () => {
    const limit = {
      intercept: (_: unknown, next: { handle(): Observable<unknown> }) =>
        next.handle().pipe(
          timeout(30_000),
          catchError(() => of(undefined)),
        ),
    };
    const { server, lines } = await start({ codec: raw() }, [{ provide: APP_INTERCEPTOR, useValue: limit }]);
    await converse(portOf(server));
    expect(lines).toEqual([]);
  });

  it('C7: a filter made for HTTP costs its own call: requests are answered, connections go on', async () => {
    @Catch()
    class ForHttp implements ExceptionFilter {
      catch(_: unknown, host: ArgumentsHost): void {
        host
          .switchToHttp()
          .getResponse<{ status(code: number): { json(body: object): void } }>()
          .status(500)
          .json({});
      }
    }
    class Failing implements PipeTransform {
      transform(value: unknown): unknown {
        if (value === 'fail' || String(value) === 'fail') throw new RpcException('meant');
        return value;
      }
    }
    const providers = [
      { provide: APP_FILTER, useValue: new ForHttp() },
      { provide: APP_PIPE, useValue: new Failing() },
    ];
    const { server } = await start({}, providers);
    const client = clientOf({ port: portOf(server), loops: 0 });
    await expect(firstValueFrom(client.send('order', 'fail'))).rejects.toMatchObject({ status: 'error' });
    expect(await firstValueFrom(client.send('order', { amount: 1 }))).toEqual([false, 'function']);

    const bytes = await start({ codec: raw() }, providers);
    const peer = (await Peer.connect(portOf(bytes.server))).read();
    peer.write('fail');
    await until(() => bytes.lines.length > 0);
    peer.write('hi');
    expect(await peer.text(2)).toBe('hi');
  });

  it('C7: those set after connectMicroservice() come too late, as Nest makes handlers there', async () => {
    class Late implements PipeTransform {
      transform(value: unknown): unknown {
        log.push('late');
        return value;
      }
    }
    for (const [options, expected] of [
      [{ inheritAppConfig: true }, false],
      [{ inheritAppConfig: true, deferInitialization: true }, true],
    ] as const) {
      log = [];
      @Module({ controllers: [Plain] })
      class AppModule {}
      const app = await NestFactory.create(AppModule, { logger: false });
      onCleanup(() => app.close());
      const server = serverOf({ codec: raw() });
      app.connectMicroservice<MicroserviceOptions>({ strategy: server }, options);
      app.useGlobalPipes(new Late());
      await app.init();
      await app.startAllMicroservices();
      await converse(portOf(server));
      expect(log.includes('late')).toBe(expected);
    }
  });
});
