import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CanActivate,
  type ExceptionFilter,
  type INestApplication,
  type INestMicroservice,
  type ModuleMetadata,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory } from '@nestjs/core';
import {
  Ctx,
  Payload,
  RpcException,
  type AsyncMicroserviceOptions,
  type MessageHandler,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import {
  Conn,
  GevConnection,
  GevContext,
  GevModule,
  GevServer,
  line,
  OnMessage,
  type GevServerOptions,
} from 'nestjs-gev';
import { of, throwError, type Observable } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { keeping, portOf } from '../kit/servers.js';
import { until } from '../kit/until.js';

type App = INestMicroservice | INestApplication;

let calls: string[] = [];
const called = (what: string): void => void calls.push(what);

/** Whether whoever asks is called by Nest's pipeline, in a job of its promises. */
function throughNest(): string {
  return /rpc-context-creator/.test(new Error().stack ?? '') ? 'nest' : 'bare';
}

interface Setup {
  readonly options?: GevServerOptions;
  readonly metadata?: ModuleMetadata;
  readonly configure?: (app: INestMicroservice) => unknown;
}

const optionsOf = (options: GevServerOptions = {}): GevServerOptions => ({
  ...{ host: '127.0.0.1', port: 0, loops: 0, codec: line(), logger: keeping().logger },
  ...options,
});

/** A microservice with a `GevModule` and those controllers. Ends with the test. */
async function start(controllers: Type[], { options, metadata, configure }: Setup = {}): Promise<number> {
  calls = [];
  @Module({
    ...metadata,
    imports: [GevModule.forRoot(optionsOf(options)), ...(metadata?.imports ?? [])],
    controllers,
  })
  class AppModule {}
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
    inject: [GevServer],
    useFactory: (server: GevServer) => ({ strategy: server }),
    logger: false,
  });
  onCleanup(() => app.close());
  configure?.(app);
  await app.listen();
  return portOf(app.get(GevServer));
}

/** Sends a line and waits for one. */
async function ask(port: number, text = 'hi'): Promise<string> {
  const peer = (await Peer.connect(port)).read();
  peer.write(`${text}\n`);
  let answer = '';
  for (let next = ''; next !== '\n'; next = await peer.text(1)) answer += next;
  return answer;
}

@Injectable()
class Guard implements CanActivate {
  canActivate(): boolean {
    called('guard');
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown): unknown {
    called('pipe');
    return value;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_context: unknown, next: { handle(): Observable<unknown> }): Observable<unknown> {
    called('interceptor');
    return next.handle();
  }
}

@Catch()
class Filter implements ExceptionFilter {
  catch(): Observable<string> {
    called('filter');
    return of('filtered');
  }
}

/** A controller class of its own, with a method that tells how it was called. */
function telling(): Type {
  @Controller()
  class Telling {
    @OnMessage()
    message(text: string): string {
      if (text === 'fail') throw new Error('on demand');
      return throughNest();
    }
  }
  return Telling;
}

const bound = (decorator: ClassDecorator & MethodDecorator, where: 'class' | 'method'): Type => {
  const controller = telling();
  const prototype = controller.prototype as object;
  if (where === 'class') decorator(controller);
  else decorator(prototype, 'message', Object.getOwnPropertyDescriptor(prototype, 'message')!);
  return controller;
};

describe('methods that nothing is bound to', () => {
  it.each([0, 1])('C7: are called without Nest’s pipeline, loops %i', async (loops) => {
    expect(await ask(await start([telling()], { options: { loops } }))).toBe('bare');
  });

  it('C7: a plain @Payload() changes nothing about it', async () => {
    @Controller()
    class Decorated {
      @OnMessage()
      message(@Payload() text: string, more: unknown): string {
        return `${text} ${String(more)} ${throughNest()}`;
      }
    }
    expect(await ask(await start([Decorated]))).toBe('hi undefined bare');
  });

  it('C7: other decorated parameters go through it', async () => {
    @Controller()
    class Curious {
      @OnMessage()
      message(@Payload() text: string, @Conn() conn: GevConnection, @Ctx() context: GevContext): string {
        return `${text} ${String(context.getConnection() === conn)} ${throughNest()}`;
      }
    }
    expect(await ask(await start([Curious]))).toBe('hi true nest');
    @Controller()
    class Piped {
      @OnMessage()
      message(@Payload(Pipe) text: string): string {
        return `${text} ${throughNest()}`;
      }
    }
    expect(await ask(await start([Piped]))).toBe('hi nest');
    expect(calls).toEqual(['pipe']);
  });

  const enhancers = [
    ['guard', () => UseGuards(Guard), APP_GUARD, Guard],
    ['pipe', () => UsePipes(Pipe), APP_PIPE, Pipe],
    ['interceptor', () => UseInterceptors(Interceptor), APP_INTERCEPTOR, Interceptor],
  ] as const;

  it.each(enhancers)(
    'C7: a %s of the method, the class or the application is called',
    async (...enhancer) => {
      const [name, use, token, useClass] = enhancer;
      for (const where of ['method', 'class'] as const) {
        expect(await ask(await start([bound(use(), where)]))).toBe('nest');
        expect(calls).toEqual([name]);
      }
      const controllers = [telling()];
      expect(
        await ask(await start(controllers, { metadata: { providers: [{ provide: token, useClass }] } })),
      ).toBe('nest');
      expect(calls).toEqual([name]);
      const scoped = [{ provide: token, useClass, scope: Scope.REQUEST }];
      expect(await ask(await start(controllers, { metadata: { providers: scoped } }))).toBe('nest');
      expect(calls).toEqual([name]);
      const configure = (app: INestMicroservice): unknown =>
        name === 'guard'
          ? app.useGlobalGuards(new Guard())
          : name === 'pipe'
            ? app.useGlobalPipes(new Pipe())
            : app.useGlobalInterceptors(new Interceptor());
      expect(await ask(await start(controllers, { configure }))).toBe('nest');
      expect(calls).toEqual([name]);
    },
  );

  it('C7: a filter of the method, the class or the application is called', async () => {
    for (const where of ['method', 'class'] as const) {
      expect(await ask(await start([bound(UseFilters(Filter), where)]), 'fail')).toBe('filtered');
    }
    const controllers = [telling()];
    const providers = [{ provide: APP_FILTER, useClass: Filter }];
    expect(await ask(await start(controllers, { metadata: { providers } }), 'fail')).toBe('filtered');
    const configure = (app: INestMicroservice): unknown => app.useGlobalFilters(new Filter());
    expect(await ask(await start(controllers, { configure }), 'fail')).toBe('filtered');
    expect(calls).toEqual(['filter']);
  });

  it('C7: a controller that is made anew for each message goes through it, as do two of one class', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Fresh {
      private static made = 0;
      readonly number = ++Fresh.made;
    }
    @Controller()
    class Scoped {
      constructor(@Inject(Fresh) private readonly fresh: Fresh) {}
      @OnMessage()
      message(): string {
        return `${this.fresh.number} ${throughNest()}`;
      }
    }
    const port = await start([Scoped], { metadata: { providers: [Fresh] } });
    expect([await ask(port), await ask(port)].map((answer) => answer.split(' ')[1])).toEqual([
      'nest',
      'nest',
    ]);

    const shared = telling();
    @Module({ controllers: [shared] })
    class Another {}
    expect(await ask(await start([shared], { metadata: { imports: [Another] } }))).toBe('nest');
  });

  it('C7: a hybrid application’s microservice has what was bound to it alone', async () => {
    calls = [];
    @Module({ imports: [GevModule.forRoot(optionsOf())], controllers: [telling()] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false });
    onCleanup(() => app.close());
    const strategy = app.get(GevServer);
    app
      .connectMicroservice<MicroserviceOptions>({ strategy }, { deferInitialization: true })
      .useGlobalGuards(new Guard());
    await app.startAllMicroservices();
    expect(await ask(portOf(strategy))).toBe('nest');
    expect(calls).toEqual(['guard']);
  });

  it('N4: a server that wraps the handlers it is given has them called', async () => {
    calls = [];
    class Wrapping extends GevServer {
      override addHandler(pattern: unknown, handler: MessageHandler, ...rest: [boolean?, object?]): void {
        const wrapped = (data: unknown, context: unknown): Promise<Observable<unknown>> => {
          called('wrapped');
          return handler(data, context) as Promise<Observable<unknown>>;
        };
        super.addHandler(pattern, wrapped as MessageHandler, ...(rest as [boolean, Record<string, unknown>]));
      }
    }
    const server = new Wrapping(optionsOf());
    @Module({ imports: [GevModule.forRoot(optionsOf())], controllers: [telling()] })
    class AppModule {}
    const app: App = await NestFactory.createMicroservice(AppModule, { strategy: server, logger: false });
    onCleanup(() => app.close());
    await app.listen();
    expect(await ask(portOf(server))).toBe('nest');
    expect(calls).toEqual(['wrapped']);
  });

  it('C6: what they throw, reject or emit as an error is logged, and costs that message only', async () => {
    @Controller()
    class Failing {
      @OnMessage()
      message(text: string): unknown {
        switch (text) {
          case 'throw':
            throw new RpcException('thrown');
          case 'reject':
            return Promise.reject(new RpcException({ message: 'rejected' }));
          case 'emit':
            return throwError(() => new RpcException('emitted'));
          case 'promised':
            return Promise.resolve(throwError(() => new RpcException('promised')));
          case 'values':
            return of('1', '2');
          default:
            return Promise.resolve(throughNest());
        }
      }
    }
    const { lines, logger } = keeping();
    const port = await start([Failing], { options: { logger } });
    const peer = (await Peer.connect(port)).read();
    peer.write('throw\nreject\nemit\npromised\nvalues\nhi\n');
    expect(await peer.text(9)).toBe('1\n2\nbare\n');
    await until(() => lines.length > 0);
    expect(lines.join('\n')).toContain('Failing.message');
  });

  it('X1: what one enters is not seen by the next, whether it waited or came with it', async () => {
    const user = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    @Controller()
    class Entering {
      @OnMessage()
      message(text: string): unknown {
        seen.push(user.getStore());
        user.enterWith(text);
        return text.startsWith('later') ? new Promise((resolve) => setImmediate(resolve, text)) : text;
      }
    }
    const port = await start([Entering]);
    const peer = (await Peer.connect(port)).read();
    peer.write('a\nb\nlater 1\nc\nlater 2\nd\n');
    expect(await peer.text(24)).toBe('a\nb\nlater 1\nc\nlater 2\nd\n');
    expect(seen).toEqual(Array(6).fill(undefined));
  });

  it('C4: replies keep the order of the messages', async () => {
    @Controller()
    class Mixed {
      @OnMessage()
      message(text: string, conn?: unknown): unknown {
        expect(conn).toBeUndefined();
        return Number(text) % 3 === 0 ? new Promise((resolve) => setImmediate(resolve, text)) : text;
      }
    }
    const port = await start([Mixed]);
    const peer = (await Peer.connect(port)).read();
    const texts = Array.from({ length: 500 }, (_, index) => `${index}\n`).join('');
    peer.write(texts);
    expect(await peer.text(texts.length)).toBe(texts);
  });
});
