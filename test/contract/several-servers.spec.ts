import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseInterceptors,
  type INestApplication,
  type NestInterceptor,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CONTEXT,
  EventPattern,
  MessagePattern,
  Payload,
  type AsyncMicroserviceOptions,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import {
  Conn,
  GevModule,
  GevServer,
  getGevServerToken,
  InjectGevServer,
  OnClose,
  OnConnect,
  OnMessage,
  raw,
  RunAfter,
  RunEvery,
  type GevConnection,
  type GevContext,
  type GevOptionsFactory,
  type GevServerOptions,
} from 'nestjs-gev';
import { firstValueFrom, of } from 'rxjs';
import { onCleanup } from '../kit/cleanup.js';
import { Peer } from '../kit/peer.js';
import { RpcPeer } from '../kit/rpc.js';
import { clientOf } from '../kit/rpc-client.js';
import { keeping, portOf, serverOf, startAll } from '../kit/servers.js';
import { until } from '../kit/until.js';

let log: string[] = [];
const local = { host: '127.0.0.1', port: 0, loops: 0 };

@Controller()
class Devices {
  @OnConnect({ server: 'devices' })
  connect(@Conn() { localPort }: GevConnection): string {
    log.push(`device ${localPort}`);
    return 'welcome\n';
  }

  @OnMessage({ server: 'devices' })
  message(data: Buffer): Buffer {
    return data;
  }

  @OnClose({ server: 'devices' })
  close(): void {
    log.push('device left');
  }
}

@Controller()
class Rpc {
  @MessagePattern('sum', { server: 'rpc' })
  sum(@Payload() [left, right]: [number, number]): number {
    return left + right;
  }

  @EventPattern('note', { server: 'rpc' })
  note(@Payload() text: string): void {
    log.push(`note ${text}`);
  }

  @OnConnect({ server: 'rpc' })
  connect(): void {
    log.push('caller');
  }
}

@Injectable()
class Status {
  ticks = 0;

  constructor(
    @InjectGevServer('devices') readonly devices: GevServer,
    @InjectGevServer('rpc') readonly rpc: GevServer,
  ) {}

  @RunEvery(5, { server: 'devices' })
  push(): void {
    this.ticks++;
    this.devices.broadcast('tick\n');
  }

  @RunAfter(5, { server: 'rpc', name: 'once' })
  once(): void {
    log.push('once');
  }
}

/** A device and a caller, each served by its own handlers. */
async function tryBoth(devices: GevServer, rpc: GevServer): Promise<void> {
  log = [];
  const device = (await Peer.connect(portOf(devices))).read();
  expect(await device.text(8)).toBe('welcome\n');
  device.write('x');
  await until(() => device.length > 0);
  const client = clientOf({ port: portOf(rpc), loops: 0 });
  expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
  client.emit('note', 'hello');
  await until(() => log.includes('note hello'));
  device.socket.end();
  await until(() => log.includes('device left'));
  expect(log).toEqual([`device ${portOf(devices)}`, 'caller', 'note hello', 'device left']);
}

describe('several servers in one application', () => {
  it('J4: each of those that modules make has its own handlers, timers and name', async () => {
    const app = await startAll(
      {
        imports: [
          GevModule.forRoot({ name: 'devices', ...local, codec: raw() }),
          GevModule.forRootAsync({ name: 'rpc', useFactory: () => Promise.resolve(local) }),
        ],
        controllers: [Devices, Rpc],
        providers: [Status],
      },
      (app) => [app.get(getGevServerToken('devices')), app.get(getGevServerToken('rpc'))],
    );
    const { devices, rpc } = app.get(Status);
    expect([devices.name, rpc.name]).toEqual(['devices', 'rpc']);
    expect(() => app.get(GevServer)).toThrow();
    await until(() => app.get(Status).ticks > 1 && log.includes('once'));
    await tryBoth(devices, rpc);
  });

  it('J4: so has each of those made by hand', async () => {
    const devices = serverOf({ name: 'devices', codec: raw() });
    const rpc = serverOf({ name: 'rpc' });
    await startAll({ controllers: [Devices, Rpc] }, [devices, rpc]);
    await tryBoth(devices, rpc);
  });

  it('J4: an application may have one without a name beside those with one', async () => {
    @Injectable()
    class User {
      constructor(
        readonly main: GevServer,
        @InjectGevServer() readonly same: GevServer,
        @InjectGevServer('second') readonly second: GevServer,
      ) {}

      @RunEvery(5)
      tick(): void {
        log.push(`tick ${this.main.stats().open}`);
      }
    }
    log = [];
    const app = await startAll(
      {
        imports: [GevModule.forRoot({ name: 'second', ...local }), GevModule.forRoot(local)],
        providers: [User],
      },
      (app) => [app.get(GevServer)],
    );
    const { main, same, second } = app.get(User);
    expect(main).toBe(same);
    expect(second).not.toBe(main);
    expect(second.address()).toBeNull();
    await until(() => log.includes('tick 0'));
  });

  it('J4: every kind of forRootAsync() takes a name', async () => {
    class Options implements GevOptionsFactory {
      createGevOptions(): GevServerOptions {
        return { ...local, name: 'fromClass' };
      }
    }
    @Module({ providers: [Options], exports: [Options] })
    class OptionsModule {}
    const app = await startAll(
      {
        imports: [
          GevModule.forRootAsync({ name: 'fromClass', useClass: Options }),
          GevModule.forRootAsync({
            name: 'injected',
            imports: [OptionsModule],
            inject: [Options],
            useFactory: (options: Options) => ({ ...options.createGevOptions(), name: undefined }),
          }),
        ],
      },
      () => [],
    );
    for (const name of ['fromClass', 'injected']) {
      expect(app.get<GevServer>(getGevServerToken(name)).name).toBe(name);
    }
  });

  it('J4: a handler without a name belongs to every server that can serve it', async () => {
    @Controller()
    class Shared {
      @OnConnect()
      connect(@Conn() conn: GevConnection): void {
        log.push(`connect ${conn.localPort}`);
      }

      @OnMessage()
      message(@Payload() data: Buffer): void {
        log.push(`message ${data.toString()}`);
      }

      @MessagePattern('who')
      who(): string {
        return 'shared';
      }
    }
    log = [];
    const { lines, logger } = keeping();
    const [first, second, bytes] = [
      serverOf({ name: 'first', logger }),
      serverOf({ logger }),
      serverOf({ name: 'bytes', codec: raw(), logger }),
    ];
    await startAll({ controllers: [Shared] }, [bytes, first, second]);
    for (const server of [first, second]) {
      const client = clientOf({ port: portOf(server), loops: 0 });
      expect(await firstValueFrom(client.send('who', ''))).toBe('shared');
      expect(log).toContain(`connect ${portOf(server)}`);
    }
    (await Peer.connect(portOf(bytes))).write('plain');
    await until(() => log.includes('message plain'));
    expect(log.filter((line) => line.startsWith('message {"pattern":"who"'))).toHaveLength(2);
    expect(lines).toEqual([]);
  });

  it('J4: two applications of one process may have servers of the same names, one after the other', async () => {
    for (let round = 0; round < 2; round++) {
      const { lines, logger } = keeping();
      const devices = serverOf({ name: 'devices', codec: raw(), logger });
      const rpc = serverOf({ name: 'rpc', logger });
      const app = await startAll({ controllers: [Devices, Rpc] }, [devices, rpc]);
      await tryBoth(devices, rpc);
      await app.close();
      expect(lines).toEqual([]);
    }
  });

  it('J4: request-scoped handlers are bound by name, too', async () => {
    @Controller({ scope: Scope.REQUEST })
    class Scoped {
      constructor(@Inject(CONTEXT) private readonly request: { context: GevContext }) {}

      @OnMessage({ server: 'devices' })
      message(@Payload() data: Buffer): string {
        return `${data.toString()} on ${this.request.context.getPattern()}`;
      }

      @MessagePattern('ask', { server: 'rpc' })
      ask(): string {
        return this.request.context.getPattern();
      }
    }
    const [devices, rpc] = [serverOf({ name: 'devices', codec: raw() }), serverOf({ name: 'rpc' })];
    await startAll({ controllers: [Scoped] }, [devices, rpc]);
    const device = (await Peer.connect(portOf(devices))).read();
    device.write('x');
    expect(await device.text(16)).toBe('x on gev:message');
    expect(await firstValueFrom(clientOf({ port: portOf(rpc), loops: 0 }).send('ask', ''))).toBe('ask');
  });
});

describe('what connection handlers return on a server that speaks RPC', () => {
  const passing: NestInterceptor = { intercept: (_, next) => next.handle() };

  @Controller()
  class Observing {
    @OnConnect()
    connect(): string {
      return 'welcome\n';
    }

    @OnMessage()
    message(@Payload() data: Buffer, @Conn() conn: GevConnection): Buffer {
      conn.send(JSON.stringify({ seen: data.length }));
      return data;
    }

    @OnMessage()
    @UseInterceptors(passing)
    lazy(): unknown {
      log.push('lazy');
      return of('a', 'b');
    }

    @OnMessage()
    silent(): void {}

    @MessagePattern('who')
    who(): string {
      return 'me';
    }
  }

  it('J4: is dropped with one warning for each, and conn.send() remains', async () => {
    log = [];
    const { lines, logger } = keeping();
    const server = serverOf({ name: 'rpc', logger });
    await startAll({ controllers: [Observing] }, [server]);
    const peer = await RpcPeer.connect(portOf(server));
    for (let id = 1; id <= 3; id++) {
      peer.send({ pattern: 'who', data: '', id });
      expect(await peer.all(id)).toEqual([{ response: 'me', isDisposed: true, id }]);
    }
    await until(() => log.length === 3 && peer.packets.length === 6);
    expect(peer.packets.filter((packet) => 'seen' in packet)).toHaveLength(3);
    expect(lines.sort()).toEqual(
      ['connect', 'lazy', 'message'].map((method) =>
        expect.stringMatching(
          new RegExp(
            `^What Observing\\.${method} returns is not sent: the server "rpc" speaks RPC.* conn\\.send\\(\\)`,
          ),
        ),
      ),
    );
    expect(server.stats().open).toBe(1);
  });
});

describe('names that are wrong', () => {
  const start = (imports: unknown[], rest: object = {}): Promise<INestApplication> =>
    startAll({ imports: imports as [], ...rest }, () => []);

  it('J4: two modules with servers of one name, or of none, are an error at start', async () => {
    const twice = () => GevModule.forRoot({ name: 'twice', ...local });
    await expect(start([twice(), twice()])).rejects.toMatchObject({
      code: 'ERR_GEV_SERVER_NAME',
      message: expect.stringMatching(/^Two servers are named "twice": /),
    });
    await expect(start([GevModule.forRoot(local), GevModule.forRoot(local)])).rejects.toThrow(
      /^Two servers have no name: GevModule\.forRoot\(\) .* name/,
    );
    const once = twice();
    @Module({ imports: [once] })
    class Feature {}
    await start([once, Feature]);
  });

  it('J4: so is a server made by hand beside the one of a module', async () => {
    const servers = [serverOf({ name: 'both' })];
    await expect(startAll({ imports: [GevModule.forRoot({ name: 'both' })] }, servers)).rejects.toThrow(
      'Two servers are named "both"',
    );
    await expect(
      startAll({ imports: [GevModule.forRoot({ name: 'other' })] }, [...servers, serverOf({ name: 'both' })]),
    ).rejects.toThrow('Two servers are named "both"');
  });

  it('J4: two servers made by hand that listen at once under one name are a warning', async () => {
    const { lines, logger } = keeping();
    await startAll({}, [serverOf({ name: 'pair', logger }), serverOf({ name: 'pair', logger })]);
    expect(lines).toEqual([expect.stringMatching(/^Another server named "pair" listens in this process/)]);
  });

  it('J4: a name beside useFactory is the only source of it', async () => {
    const message = /"name" must stand beside useFactory/;
    const useFactory = () => ({ ...local, name: 'inside' });
    await expect(start([GevModule.forRootAsync({ useFactory })])).rejects.toThrow(message);
    await expect(start([GevModule.forRootAsync({ name: 'outside', useFactory })])).rejects.toThrow(message);
  });

  it('J4: a handler of a server that there is not is a warning with the name that may be meant', async () => {
    @Controller()
    class Lost {
      @OnMessage({ server: 'devicez' })
      message(): void {}

      @MessagePattern('sum', { server: 'nowhere' })
      sum(): void {}
    }
    const { lines, logger } = keeping();
    const devices = serverOf({ name: 'devices', codec: raw(), logger });
    await startAll({ imports: [GevModule.forRoot({ name: 'unused' })], controllers: [Lost] }, [devices]);
    expect(lines.sort()).toEqual([
      expect.stringMatching(
        /^No server is named "devicez", so nothing reaches Lost\.message: did you mean "devices"\?/,
      ),
      expect.stringMatching(/^No server is named "nowhere", so nothing reaches Lost\.sum: .* new GevServer/),
    ]);
  });

  it('J4: a timer of a server that there is not, or of one of several, is an error at start', async () => {
    class Lost {
      @RunEvery(5, { server: 'nowhere' })
      tick(): void {}
    }
    await expect(start([GevModule.forRoot({ name: 'one' })], { providers: [Lost] })).rejects.toThrow(
      /^No server is named "nowhere", which Lost\.tick is to run on\. Servers: "one"/,
    );
    class Torn {
      @RunAfter(5)
      tick(): void {}
    }
    const two = [GevModule.forRoot({ name: 'one' }), GevModule.forRoot({ name: 'two' })];
    await expect(start(two, { providers: [Torn] })).rejects.toThrow(
      /^Torn\.tick could run on several servers: "one", "two"\. Name one: @RunAfter\(5, \{ server: "one" \}\)/,
    );
  });

  it('J4: a timer may name a server made by hand', async () => {
    class Timed {
      @RunEvery(5, { server: 'byHand' })
      tick(): void {
        log.push('tick');
      }
    }
    log = [];
    const server = serverOf({ name: 'byHand' });
    await startAll({ imports: [GevModule.forRoot({ name: 'module' })], providers: [Timed] }, [server]);
    await until(() => log.length > 1);
  });
});

describe('one pattern', () => {
  @Controller()
  class First {
    @MessagePattern('sum')
    sum(): number {
      return 1;
    }

    @EventPattern('note')
    note(@Payload() data: any): any {
      log.push('first', data);
    }
  }
  @Controller()
  class Second {
    @MessagePattern('sum')
    total(): number {
      return 2;
    }

    @EventPattern('note')
    note(@Payload() data: any): any {
      log.push('second', data);
    }
  }

  it('J4: of two message handlers on one server is an error at start that names both', async () => {
    const imports = [GevModule.forRoot(local)];
    await expect(
      startAll({ imports, controllers: [First, Second] }, (app) => [app.get(GevServer)]),
    ).rejects.toMatchObject({
      code: 'ERR_GEV_DUPLICATE_PATTERN',
      message: expect.stringMatching(
        /^Two handlers of one server have the pattern "sum": First\.sum and Second\.total/,
      ),
    });
    await expect(startAll({ controllers: [First, Second] }, [serverOf({ name: 'x' })])).rejects.toThrow(
      'Two handlers of the server "x" have the pattern "sum"',
    );
  });

  it('J4: of one handler that is registered twice is an error that says so', async () => {
    @Module({ controllers: [First] })
    class Feature {}
    await expect(
      startAll({ imports: [GevModule.forRoot(local), Feature], controllers: [First] }, (app) => [
        app.get(GevServer),
      ]),
    ).rejects.toThrow(/First\.sum is registered twice .* one module/);
  });

  it('J4: may have a handler on each of several servers', async () => {
    @Controller()
    class Versions {
      @MessagePattern('version', { server: 'one' })
      one(): number {
        return 1;
      }

      @MessagePattern('version', { server: 'two' })
      two(): number {
        return 2;
      }
    }
    const servers = [serverOf({ name: 'one' }), serverOf({ name: 'two' })];
    await startAll({ controllers: [Versions] }, servers);
    const answers = servers.map((server) =>
      firstValueFrom(clientOf({ port: portOf(server), loops: 0 }).send('version', '')),
    );
    expect(await Promise.all(answers)).toEqual([1, 2]);
  });

  it('J4: may have several event handlers, as in Nest', async () => {
    @Controller()
    class OnlyEvents {
      @EventPattern('note')
      note(@Payload() data: any): any {
        log.push('third', data);
      }
    }
    log = [];
    const { lines, logger } = keeping();
    const server = serverOf({ logger });
    await startAll({ controllers: [First, OnlyEvents] }, [server]);
    clientOf({ port: portOf(server), loops: 0 }).emit('note', 'x');
    await until(() => log.length === 4);
    expect(log.sort()).toEqual(['first', 'third', 'x', 'x']);
    expect(lines).toEqual([]);
  });

  it('J4: of a message and an event handler is a warning: Nest runs one of them only', async () => {
    @Controller()
    class Mixed {
      @MessagePattern('mixed')
      message(): void {}

      @EventPattern('mixed')
      event(@Payload() data: any): any {
        return data;
      }
    }
    const { lines, logger } = keeping();
    await startAll({ controllers: [Mixed] }, [serverOf({ logger })]);
    expect(lines).toEqual([expect.stringMatching(/^The pattern "mixed" has a message and an event handler/)]);
  });
});

describe('a microservice of its own', () => {
  it('J4: takes a named server of a module as its strategy', async () => {
    @Module({
      imports: [GevModule.forRoot({ name: 'devices', ...local, codec: raw() })],
      controllers: [Devices],
    })
    class AppModule {}
    const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
      inject: [getGevServerToken('devices')],
      useFactory: (strategy: GevServer): MicroserviceOptions => ({ strategy }),
      logger: false,
    });
    onCleanup(() => app.close());
    await app.listen();
    const device = (await Peer.connect(portOf(app.get(getGevServerToken('devices'))))).read();
    expect(await device.text(8)).toBe('welcome\n');
  });
});
