import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  type DynamicModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { GevServerOptions } from '../../src/core/options.js';
import type { GevTimer } from '../../src/core/timer.js';
import { RunAfter } from '../../src/decorators/run-after.decorator.js';
import { RunEvery } from '../../src/decorators/run-every.decorator.js';
import { GevModule } from '../../src/module/gev.module.js';
import type { GevOptionsFactory } from '../../src/module/gev.module-definition.js';
import { GevServer } from '../../src/server/gev.server.js';
import { GevTimerRegistry } from '../../src/timers/gev-timer.registry.js';
import { FakeServer } from './support/fake-reactor.js';

let log: string[] = [];

async function start(module: { controllers?: Type[]; providers?: Provider[] }) {
  log = [];
  const server = new FakeServer();
  const app = await Test.createTestingModule({ imports: [GevModule.forRoot()], ...module })
    .setLogger({ log() {}, warn: (line: string) => void log.push(line), error() {} })
    .overrideProvider(GevServer)
    .useValue(server)
    .compile();
  await app.init();
  await server.start();
  return { app, server, registry: app.get(GevTimerRegistry), timers: server.reactor.timers };
}

describe('@RunEvery and @RunAfter', () => {
  it('run methods of controllers and providers, on their instance', async () => {
    @Controller()
    class Pusher {
      private readonly name = 'pusher';

      @RunEvery(1000)
      push() {
        log.push(`push of ${this.name}`);
      }
    }

    @Injectable()
    class Cleaner {
      @RunAfter({ after: 50, name: 'cleanup' })
      clean() {
        log.push('clean');
      }
    }
    const { registry, timers } = await start({ controllers: [Pusher], providers: [Cleaner] });
    expect(registry.names()).toEqual(['Pusher.push', 'cleanup']);
    expect(timers.map(({ ms }) => ms)).toEqual([1000, 50]);
    for (const timer of timers) await timer.tick();
    expect(log).toEqual(['push of pusher', 'clean']);
    expect(registry.names()).toEqual(['Pusher.push']);
  });

  it('T2: overlap is passed on', async () => {
    @Injectable()
    class Slow {
      @RunEvery({ every: 10, overlap: true })
      overlapping() {
        return new Promise(() => undefined);
      }

      @RunEvery(10)
      skipping() {
        return new Promise(() => undefined);
      }
    }
    const { registry, timers } = await start({ providers: [Slow] });
    for (const timer of timers) {
      void timer.tick();
      void timer.tick();
    }
    expect(registry.get('Slow.overlapping')).toMatchObject({ runs: 2, skipped: 0 });
    expect(registry.get('Slow.skipping')).toMatchObject({ runs: 1, skipped: 1 });
  });

  it('what a method throws is logged with its name', async () => {
    @Injectable()
    class Broken {
      @RunEvery(10)
      tick() {
        throw new Error('boom');
      }
    }
    const { server, timers } = await start({ providers: [Broken] });
    await timers[0]!.tick();
    expect(server.lines).toEqual(['Timer "Broken.tick" failed: boom']);
  });

  it('an alias is no second timer, and a request-scoped class gets none', async () => {
    @Injectable()
    class Once {
      @RunEvery(10)
      tick() {}
    }

    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @RunEvery(10)
      tick() {}
    }
    const { registry } = await start({
      providers: [Once, { provide: 'ALIAS', useExisting: Once }, PerRequest],
    });
    expect(registry.names()).toEqual(['Once.tick']);
    expect(log).toEqual([expect.stringContaining('Cannot register the timer "PerRequest.tick"')]);
  });

  it('T3: the shutdown of the application ends them', async () => {
    @Injectable()
    class Ticking {
      @RunEvery(10)
      tick() {}
    }
    const { app, registry, timers } = await start({ providers: [Ticking] });
    await app.close();
    expect(registry.names()).toEqual([]);
    expect(timers[0]!.active).toBe(false);
  });

  it('two timers of one given name are refused', async () => {
    @Injectable()
    class Twins {
      @RunEvery({ every: 10, name: 'same' })
      one() {}

      @RunAfter({ after: 10, name: 'same' })
      two() {}
    }
    await expect(start({ providers: [Twins] })).rejects.toMatchObject({ code: 'ERR_GEV_DUPLICATE_TIMER' });
  });

  it.each([0, -1, Number.NaN, 2 ** 31])('T4: %p ms is refused where it is written', (ms) => {
    const refusal = expect.objectContaining({ code: 'ERR_GEV_INVALID_INTERVAL' });
    expect(() => RunEvery(ms)).toThrow(refusal);
    expect(() => RunEvery({ every: ms })).toThrow(refusal);
    expect(() => RunAfter(ms)).toThrow(refusal);
  });
});

describe('GevTimerRegistry', () => {
  const timer = (): GevTimer => {
    const state = { runs: 0, skipped: 0, active: true, cancel: () => void (state.active = false) };
    return state;
  };

  it('adds, gets, deletes and names', () => {
    const registry = new GevTimerRegistry();
    const [first, second] = [timer(), timer()];
    registry.add('first', first);
    registry.add('second', second);
    expect(() => registry.add('first', timer())).toThrow(
      expect.objectContaining({ code: 'ERR_GEV_DUPLICATE_TIMER' }),
    );
    expect(registry.get('first')).toBe(first);
    expect(registry.names()).toEqual(['first', 'second']);
    expect(registry.delete('first')).toBe(true);
    expect(first.active).toBe(false);
    expect([registry.delete('first'), registry.has('first'), registry.get('first')]).toEqual([
      false,
      false,
      undefined,
    ]);
    second.cancel();
    expect(registry.names()).toEqual([]);
    registry.add('second', timer());
  });
});

describe('GevModule', () => {
  class Options implements GevOptionsFactory {
    createGevOptions(): GevServerOptions {
      return { port: 0, loops: 0 };
    }
  }

  @Module({ providers: [Options], exports: [Options] })
  class OptionsModule {}

  it.each<[string, DynamicModule]>([
    ['forRoot', GevModule.forRoot({ port: 0 })],
    ['forRoot without options', GevModule.forRoot()],
    ['forRootAsync, useFactory', GevModule.forRootAsync({ useFactory: () => Promise.resolve({ port: 0 }) })],
    ['forRootAsync, useClass', GevModule.forRootAsync({ useClass: Options })],
    ['forRootAsync, useExisting', GevModule.forRootAsync({ imports: [OptionsModule], useExisting: Options })],
    [
      'forRootAsync, inject',
      GevModule.forRootAsync({
        imports: [OptionsModule],
        inject: [Options],
        useFactory: (options: Options) => options.createGevOptions(),
      }),
    ],
  ])('%s lets any module inject server and registry', async (_, module) => {
    @Injectable()
    class User {
      constructor(
        readonly server: GevServer,
        @Inject(GevTimerRegistry) readonly registry: GevTimerRegistry,
      ) {}
    }

    @Module({ providers: [User] })
    class Feature {}

    const app = await NestFactory.createApplicationContext(
      { module: class App {}, imports: [module, Feature] },
      { logger: false },
    );
    const user = app.get(User, { strict: false });
    expect(user.server).toBeInstanceOf(GevServer);
    expect(user.server).toBe(app.get(GevServer));
    expect(user.registry.names()).toEqual([]);
    await app.close();
  });

  it('refuses bad options', async () => {
    const bad = { module: class App {}, imports: [GevModule.forRoot({ port: -1 })] };
    await expect(
      NestFactory.createApplicationContext(bad, { logger: false, abortOnError: false }),
    ).rejects.toMatchObject({ code: 'ERR_GEV_INVALID_OPTION' });
  });
});
