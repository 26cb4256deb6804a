import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, Logger, Module, Scope, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessagePattern, Payload, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import {
  Conn,
  GevClient,
  GevModule,
  GevRecord,
  GevServer,
  GevTimerRegistry,
  nestJson,
  OnConnect,
  OnMessage,
  raw,
  RunAfter,
  RunEvery,
  type GevServerOptions,
} from 'nestjs-gev';
import { onCleanup } from '../kit/cleanup.js';
import { clientOf } from '../kit/rpc-client.js';
import { keeping, serverOf, startAll } from '../kit/servers.js';
import { until } from '../kit/until.js';

const local = { host: '127.0.0.1', port: 0, loops: 0 };
/** What TypeScript would refuse, as JavaScript and casts let it through. */
const loose = <T>(value: unknown): T => value as T;

const listening = async (server: GevServer): Promise<void> => {
  onCleanup(() => server.close());
  await new Promise((resolve) => server.listen(resolve));
};

/** What Nest's own Logger is told, of warnings. */
const nestWarnings = (): string[] => {
  const lines: string[] = [];
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: unknown) => {
    lines.push(String(line));
  });
  onCleanup(() => warn.mockRestore());
  return lines;
};

/** Nest, with a `GevModule`, of such classes. */
const application = (providers: Type[] | object[], controllers: Type[] = []) =>
  startAll({ imports: [GevModule.forRoot(local)], providers: providers as Type[], controllers }, (app) => [
    app.get(GevServer),
  ]);

it('N5: an application with its timers in place says nothing, though servers listen before it is initialised', async () => {
  class InPlace {
    @RunEvery(1_000)
    tick(): void {}
  }
  const { lines, logger } = keeping();
  @Module({ imports: [GevModule.forRoot({ ...local, logger })], providers: [InPlace] })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false });
  onCleanup(() => app.close());
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(GevServer) });
  await app.startAllMicroservices();
  await app.init();
  expect(app.get(GevTimerRegistry).names()).toEqual(['InPlace.tick']);
  expect(lines).toEqual([]);
});

describe('options', () => {
  it.each([
    ['retryAttempts', /listen\(\) fails at once.* docs\/migrating-from-tcp\.md/],
    ['retryDelay', /docs\/migrating-from-tcp\.md/],
    ['socketClass', /codec.* docs\/migrating-from-tcp\.md/],
    ['options', /directly: new GevServer\(\{ port: 3000 \}\)/],
    ['transport', /strategy: new GevServer/],
  ])('N5: %s, which Nest has and a server has not, is refused with what to do instead', (name, remedy) => {
    expect(() => new GevServer(loose({ [name]: 1 }))).toThrow(remedy);
  });

  it.each([
    ['socketClass', /docs\/migrating-from-tcp\.md/],
    ['retryAttempts', /"reconnect"/],
    ['options', /directly: new GevClient\(\{ port: 3000 \}\)/],
    ['transport', /customClass: GevClient/],
    ['customClass', /customClass: GevClient/],
  ])('N5: so is %s of a client', (name, remedy) => {
    expect(() => new GevClient(loose({ [name]: 1 }))).toThrow(remedy);
  });

  it('N5: an unknown name is refused wherever it stands, with the one that may be meant', () => {
    const server = serverOf({});
    const nothing = (): void => undefined;
    const misspelt: [() => unknown, string][] = [
      [() => new GevServer(loose({ prot: 1 })), 'There is no option "prot": did you mean "port"?'],
      [() => serverOf({ codec: raw(loose({ cpy: true })) }), '"raw.cpy": did you mean "copy"?'],
      [
        () => serverOf({ codec: loose<typeof nestJson & ((o: object) => any)>(nestJson)({ a: 1 }) }),
        '"nest-json.a"',
      ],
      [() => new GevClient(loose({ requestTimout: 1 })), 'did you mean "requestTimeout"?'],
      [() => new GevClient({ reconnect: loose({ jiter: 1 }) }), '"reconnect.jiter": did you mean "jitter"?'],
      [
        () => new GevRecord(1, loose({ timout: 1 })),
        'GevRecord has no option "timout": did you mean "timeout"?',
      ],
      [
        () => server.runEvery(1, nothing, loose({ overlp: true })),
        'runEvery() has no option "overlp": did you mean "overlap"?',
      ],
      [() => server.runAfter(1, nothing, loose({ overlap: true })), 'runAfter() has no option "overlap"'],
      [() => OnConnect(loose({ sever: 'x' })), '@OnConnect() has no option "sever": did you mean "server"?'],
      [() => RunEvery(5, loose({ nam: 'x' })), '@RunEvery() has no option "nam": did you mean "name"?'],
      [() => RunAfter(loose({ after: 5, overlap: true })), '@RunAfter() has no option "overlap"'],
      [
        () => GevModule.forRootAsync(loose({ useFactry: nothing })),
        'forRootAsync() has no option "useFactry": did you mean "useFactory"?',
      ],
      [() => GevModule.forRootAsync({}), 'needs one of useFactory, useClass and useExisting, not none'],
      [() => GevModule.forRoot({ name: '' }), 'Option "name" must be a non-empty string'],
      [
        () => OnMessage(loose('devices')),
        "@OnMessage() takes an object, such as { server: 'devices' }, not 'devices'",
      ],
      [() => OnMessage(loose({ server: 5 })), 'Option "server" must be a non-empty string'],
    ];
    for (const [make, message] of misspelt) expect(make).toThrow(message);
  });

  it('N5: those that a codec without packets leaves without effect are a warning', async () => {
    const { lines, logger } = keeping();
    await listening(serverOf({ codec: raw(), logger, maxFrameLength: 1000, maxInFlight: 5 }));
    expect(lines.filter((line) => !line.startsWith('Nobody runs'))).toEqual([
      expect.stringMatching(/so that maxInFlight, maxFrameLength has no effect/),
    ]);
  });

  it('N5: GevModule without forRoot() is an error that says so', async () => {
    await expect(startAll({ imports: [GevModule] }, [])).rejects.toThrow('Import GevModule.forRoot()');
  });
});

describe('calls', () => {
  it('N5: a timer without a function is refused where it is set', () => {
    const server = serverOf({});
    expect(() => server.runEvery(5, loose(undefined))).toThrow(
      /runEvery\(\) needs a function, not undefined/,
    );
    expect(() => server.runAfter(5, loose('x'))).toThrow(/runAfter\(\) needs a function/);
  });

  it('N5: what is no timer is refused by the registry', () => {
    const interval = setInterval(() => undefined, 1_000);
    onCleanup(() => clearInterval(interval));
    expect(() => new GevTimerRegistry().add('x', loose(interval))).toThrow(
      /"x" is no timer.* server\.runEvery\(\)/,
    );
  });

  it('N5: listening to an event that there is not is a warning with the one that may be meant, once', () => {
    const { lines, logger } = keeping();
    const server = serverOf({ logger });
    const client = clientOf({ ...local, port: 1, logger });
    for (let time = 0; time < 2; time++) {
      server.on(loose<'error'>('conection'), () => undefined);
      server.unwrap().once(loose<'error'>('data'), () => undefined);
      client.on(loose<'error'>('disconected'), () => undefined);
    }
    server.on('listening', () => undefined);
    expect(lines).toEqual([
      expect.stringMatching(/^A server has no event "conection": did you mean "connection"\?/),
      expect.stringMatching(/^A server has no event "data"; events: listening, connection, close, error/),
      expect.stringMatching(/^A client has no event "disconected": did you mean "disconnect"\?/),
    ]);
  });

  it('N5: a callback that is none is refused by send()', async () => {
    const { server, connection } = await connected();
    expect(() => connection.send('x', loose('utf8'))).toThrow(/The callback of send\(\) must be a function/);
    expect(server.stats().open).toBe(1);
  });

  async function connected() {
    const server = serverOf({ codec: raw() });
    await listening(server);
    const { port } = server.address() as { port: number };
    const { Peer } = await import('../kit/peer.js');
    await Peer.connect(port);
    await until(() => server.connections.size === 1);
    return { server, connection: [...server][0]! };
  }
});

describe('decorators', () => {
  it('N5: on what is no method of an instance, or without parentheses, are errors', () => {
    const make: [() => unknown, string][] = [
      [
        () => {
          class Static {
            @OnMessage()
            static message(): void {}
          }
          return Static;
        },
        '@OnMessage() is for methods of instances: Static.message is static',
      ],
      [
        () => {
          class Ticking {
            @RunEvery(5)
            static tick(): void {}
          }
          return Ticking;
        },
        '@RunEvery() is for methods of instances: Ticking.tick is static',
      ],
      [
        () => {
          class Getter {
            @OnConnect()
            get connect(): number {
              return 1;
            }
          }
          return Getter;
        },
        'Getter.connect is none',
      ],
      [
        () => {
          class Bare {
            @loose<MethodDecorator>(OnConnect)
            connect(): void {}
          }
          return Bare;
        },
        'Call the decorator: @OnConnect(), not @OnConnect',
      ],
    ];
    for (const [define, message] of make) expect(define).toThrow(message);
  });

  it('N5: of handlers in a provider are a warning, however it is provided', async () => {
    class ByClass {
      @OnMessage()
      message(): void {}
    }
    class ByValue {
      @OnConnect()
      connect(): void {}
    }
    class ByFactory {
      @OnConnect()
      connect(): void {}
    }
    const warnings = nestWarnings();
    await application([
      ByClass,
      { provide: 'VALUE', useValue: new ByValue() },
      { provide: 'FACTORY', useFactory: () => Promise.resolve(new ByFactory()) },
    ]);
    expect(warnings.filter((line) => line.includes('will never be called')).sort()).toEqual([
      expect.stringMatching(/^ByClass\.message will never be called: .* controllers/),
      expect.stringMatching(/^ByFactory\.connect .* FACTORY is a provider/),
      expect.stringMatching(/^ByValue\.connect .* VALUE is a provider/),
    ]);
  });

  it('N5: of handlers in a controller that several modules list are a warning: they run once for each', async () => {
    class Base {
      @OnConnect()
      connect(): void {}
    }
    @Controller()
    class Listed {
      @OnMessage()
      message(): void {}
    }
    @Controller()
    class First extends Base {}
    @Controller()
    class Second extends Base {}
    @Module({ controllers: [Listed, First] })
    class Feature {}
    const warnings = nestWarnings();
    const imports = [GevModule.forRoot(local), Feature];
    await startAll({ imports, controllers: [Listed, Second] }, (app) => [app.get(GevServer)]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Listed\.message is registered once for each of 2 modules .*: AppModule, Feature\./,
      ),
    ]);
  });

  it('N5: of handlers that no module knows are a warning of a server that has none', async () => {
    class Forgotten {
      @OnMessage()
      message(): void {}
    }
    expect(new Forgotten()).toBeDefined();
    const { lines, logger } = keeping();
    await listening(serverOf({ codec: raw(), logger }));
    expect(lines.join()).toMatch(
      /Nest has registered no handler with this server, \w+\.\w+ and \d+ more neither/,
    );
  });

  it('N5: @Conn() in a handler of HTTP says where it belongs', async () => {
    @Controller()
    class Http {
      @Get()
      get(@Conn() conn: unknown): string {
        return String(conn);
      }
    }
    @Module({ controllers: [Http] })
    class AppModule {}
    const errors: string[] = [];
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation((line: unknown) => {
      errors.push(String(line));
    });
    onCleanup(() => error.mockRestore());
    const app = await NestFactory.create(AppModule, { logger: false });
    onCleanup(() => app.close());
    await app.listen(0, '127.0.0.1');
    expect((await fetch(await app.getUrl())).status).toBe(500);
    expect(errors[0]).toMatch(/@Conn\(\) works in calls that came to a GevServer/);
  });
});

describe('patterns', () => {
  it('N5: bound to a transport that the application has not are a warning', async () => {
    @Controller()
    class Bound {
      @MessagePattern('x', Transport.TCP)
      tcp(@Payload() data: any): any {
        return data;
      }
    }
    const warnings = nestWarnings();
    await application([], [Bound]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Bound\.tcp is bound to the transport TCP, which no server of the application has: .*GEV_TRANSPORT/,
      ),
    ]);
  });

  it('N5: with an extra that may be meant as "server" are a warning', async () => {
    @Controller()
    class Slip {
      @MessagePattern('x', { sevrer: 'rpc' })
      x(): void {}
    }
    const { lines, logger } = keeping();
    await startAll({ controllers: [Slip] }, [serverOf({ logger })]);
    expect(lines).toEqual([expect.stringMatching(/has the extra "sevrer".* did you mean "server"\?/)]);
  });

  it('N5: with a server that is no name are an error', async () => {
    @Controller()
    class Numbered {
      @MessagePattern('x', { server: 5 })
      x(): void {}
    }
    await expect(startAll({ controllers: [Numbered] }, [serverOf({})])).rejects.toThrow(
      'The "server" of the handler of "x" must be the name of one, not number',
    );
  });

  it('N5: that the protocol has taken are a warning', async () => {
    @Controller()
    class Taken {
      @MessagePattern('gev:hello')
      hello(): void {}
    }
    const { lines, logger } = keeping();
    await startAll({ controllers: [Taken] }, [serverOf({ logger })]);
    expect(lines).toEqual([expect.stringMatching(/"gev:hello" .* of the protocol itself/)]);
  });
});

describe('timers', () => {
  let runs: string[] = [];

  class Timed {
    constructor(private readonly name = 'class') {}

    @RunEvery(5)
    tick(): void {
      runs.push(this.name);
    }
  }

  it('N5: of useValue and useFactory providers run', async () => {
    runs = [];
    await application([
      { provide: 'VALUE', useValue: new Timed('value') },
      { provide: 'FACTORY', useFactory: () => Promise.resolve(new Timed('factory')) },
    ]);
    await until(() => runs.includes('value') && runs.includes('factory'));
  });

  it('N5: of one class under two tokens run once for each instance, with a warning', async () => {
    class Twice {
      @RunEvery(1_000)
      tick(): void {}
    }
    const warnings = nestWarnings();
    const app = await application([
      { provide: 'A', useClass: Twice },
      { provide: 'B', useClass: Twice },
      { provide: 'C', useExisting: 'A' },
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Twice\.tick runs once for each of 2 instances .* A of AppModule, B of AppModule: .* useExisting/,
      ),
    ]);
    expect(app.get(GevTimerRegistry).names()).toHaveLength(2);
  });

  it('N5: of classes that are no singletons are a warning, and do not run', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @RunEvery(1_000)
      tick(): void {}
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @RunEvery(1_000)
      tick(): void {}
    }
    @Injectable()
    class Host {
      constructor(readonly transient: Transient) {}
    }
    const warnings = nestWarnings();
    const app = await application([PerRequest, Transient, Host]);
    expect(warnings.sort()).toEqual([
      expect.stringMatching(/^Cannot register the timer "PerRequest\.tick"/),
      expect.stringMatching(/^Cannot register the timer "Transient\.tick"/),
    ]);
    expect(app.get(GevTimerRegistry).names()).toEqual([]);
  });
});

it('N5: a server that serves as it should says nothing', async () => {
  @Controller()
  class Fine {
    @OnMessage({ server: 'bytes' })
    message(@Payload() data: Buffer): Buffer {
      return data;
    }

    @MessagePattern('x')
    x(): number {
      return 1;
    }
  }
  const { lines, logger } = keeping();
  const options: GevServerOptions = { logger };
  await startAll({ imports: [], controllers: [Fine] }, [
    serverOf({ ...options, name: 'bytes', codec: raw() }),
    serverOf({ ...options, name: 'rpc' }),
  ]);
  expect(lines).toEqual([]);
});
