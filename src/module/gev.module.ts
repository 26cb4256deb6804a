import { Inject, Module, Optional, type DynamicModule } from '@nestjs/common';
import { GevOptionsError } from '../core/errors.js';
import {
  checkModuleAsyncOptions,
  checkModuleOptions,
  ConfigurableModuleClass,
  NAME_CLAIM,
  type GevModuleAsyncOptions,
  type GevModuleOptions,
} from './gev.module-definition.js';

/**
 * Makes a {@link GevServer} that the application's classes can inject, along with {@link GevTimerRegistry}, and runs
 * `@RunEvery` and `@RunAfter` methods on its loop. The application then takes that server as its strategy: a
 * `new GevServer()` made elsewhere is another one.
 *
 * An application may have several: each but one needs a `name`, is injected with `@InjectGevServer(name)` and found with
 * `app.get(getGevServerToken(name))`.
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
@Module({})
export class GevModule extends ConfigurableModuleClass {
  /** @internal */
  constructor(@Optional() @Inject(NAME_CLAIM) claim?: boolean) {
    super();
    if (claim === undefined) {
      throw new GevOptionsError('imports', 'Import GevModule.forRoot() or forRootAsync(), not GevModule');
    }
  }

  /**
   * @param options of the server; `isGlobal` (default true) lets all modules inject it
   * @throws GevOptionsError
   */
  static override forRoot(options: GevModuleOptions = {}): DynamicModule {
    return super.forRoot(checkModuleOptions(options));
  }

  /**
   * The options come from `useFactory` (with `inject` and `imports`), `useClass` or `useExisting`; the `name` stands beside
   * them.
   *
   * @throws GevOptionsError
   */
  static override forRootAsync(options: GevModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(checkModuleAsyncOptions(options));
  }
}
