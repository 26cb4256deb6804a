import { Module, type DynamicModule } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import type { GevServerOptions } from '../core/options.js';
import { GevServer } from '../server/gev.server.js';
import { GevTimerMetadataAccessor } from '../timers/gev-timer-metadata.accessor.js';
import { GevTimerExplorer } from '../timers/gev-timer.explorer.js';
import { GevTimerOrchestrator } from '../timers/gev-timer.orchestrator.js';
import { GevTimerRegistry } from '../timers/gev-timer.registry.js';
import { GevListenWatch } from './gev-listen.watch.js';
import {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  type GevModuleAsyncOptions,
  type GevModuleOptions,
} from './gev.module-definition.js';

/**
 * Makes a {@link GevServer} that the application's classes can inject, along with {@link GevTimerRegistry}, and runs
 * `@RunEvery` and `@RunAfter` methods on its loop. The application then takes that server as its strategy: a
 * `new GevServer()` made elsewhere is another one, which the module's timers know nothing of.
 *
 * @example
 * ```ts
 * @Module({ imports: [GevModule.forRoot({ port: 1833 })], controllers: [EchoController] })
 * export class AppModule {}
 *
 * const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(AppModule, {
 *   inject: [GevServer],
 *   useFactory: (server: GevServer) => ({ strategy: server }),
 * });
 *
 * // or, beside an HTTP application:
 * app.connectMicroservice({ strategy: app.get(GevServer) });
 * ```
 * @publicApi
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: GevServer,
      useFactory: (options: GevServerOptions) => new GevServer(options),
      inject: [MODULE_OPTIONS_TOKEN],
    },
    GevTimerRegistry,
    GevTimerMetadataAccessor,
    GevTimerOrchestrator,
    GevTimerExplorer,
    GevListenWatch,
  ],
  exports: [GevServer, GevTimerRegistry],
})
export class GevModule extends ConfigurableModuleClass {
  /** @param options of the server; `isGlobal` (default true) lets all modules inject it */
  static override forRoot(options: GevModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** The options come from `useFactory` (with `inject` and `imports`), `useClass` or `useExisting`. */
  static override forRootAsync(options: GevModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}
