import { ConfigurableModuleBuilder, type DynamicModule } from '@nestjs/common';
import { GevOptionsError } from '../core/errors.js';
import { flag, given, refuseUnknown, text } from '../core/option-checks.js';
import type { GevServerOptions } from '../core/options.js';
import { objectOf } from '../core/validate-options.js';
import { getGevServerToken } from '../server/gev-servers.js';
import { GevServer } from '../server/gev.server.js';
import { GevTimerRegistry } from '../timers/gev-timer.registry.js';
import { GevCoreModule } from './gev-core.module.js';
import { otherRegistryClasses, otherServerClasses } from './class-tokens.js';
import { GevListenWatch } from './gev-listen.watch.js';
import { GevServers } from '../server/gev-servers.js';

/** What `useClass` and `useExisting` of {@link GevModule.forRootAsync} must provide. */
export interface GevOptionsFactory {
  createGevOptions(): GevServerOptions | Promise<GevServerOptions>;
}

/** Of each {@link GevModule} that `forRoot()` or `forRootAsync()` has made: its name is its own. */
export const NAME_CLAIM = Symbol.for('nestjs-gev:name-claim');

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<GevServerOptions>({ moduleName: 'Gev' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createGevOptions')
    .setExtras({ isGlobal: true, name: undefined as string | undefined }, withServer)
    .build();

/** Options of {@link GevModule.forRoot}: the server's, and whether all modules see it (`isGlobal`, default true). */
export type GevModuleOptions = typeof OPTIONS_TYPE;

/**
 * Options of {@link GevModule.forRootAsync}: `imports`, `inject`, and `useFactory`, `useClass` or `useExisting`; the server's
 * `name`, which only stands here, and `isGlobal`.
 */
export type GevModuleAsyncOptions = typeof ASYNC_OPTIONS_TYPE;

const SOURCES = ['useFactory', 'useClass', 'useExisting'] as const;
const ASYNC_OPTIONS = ['name', 'isGlobal', 'imports', 'inject', 'provideInjectionTokensFrom', ...SOURCES];

/** @throws GevOptionsError */
export function checkModuleOptions(options: GevModuleOptions): GevModuleOptions {
  const present = objectOf(options);
  text(present, 'name');
  flag(present, 'isGlobal');
  return present;
}

/** @throws GevOptionsError */
export function checkModuleAsyncOptions(options: GevModuleAsyncOptions): GevModuleAsyncOptions {
  const present = objectOf(options);
  refuseUnknown(present, ASYNC_OPTIONS, { owner: 'forRootAsync()' });
  text(present, 'name');
  flag(present, 'isGlobal');
  const sources = SOURCES.filter((source) => present[source] !== undefined);
  if (sources.length !== 1) {
    throw new GevOptionsError(
      'useFactory',
      `forRootAsync() needs one of useFactory, useClass and useExisting, not ${sources.join(' and ') || 'none of them'}`,
    );
  }
  return present;
}

/** What a module provides beside its options: one server under its name, and what looks after it. */
function withServer(
  definition: DynamicModule,
  { isGlobal, name }: { readonly isGlobal: boolean; readonly name: string | undefined },
): DynamicModule {
  const token = getGevServerToken(name);
  // Who has loaded the other build injects by its classes.
  const aliases = [
    ...(name === undefined ? otherServerClasses() : []).map((each) => ({
      provide: each,
      useExisting: token,
    })),
    ...otherRegistryClasses().map((each) => ({ provide: each, useExisting: GevTimerRegistry })),
  ];
  return {
    ...definition,
    global: isGlobal,
    imports: [...(definition.imports ?? []), GevCoreModule],
    providers: [
      ...(definition.providers ?? []),
      {
        provide: NAME_CLAIM,
        useFactory: (servers: GevServers) => (servers.claim(name), true),
        inject: [GevServers],
      },
      {
        provide: token,
        useFactory: (options: GevServerOptions) => new GevServer(named(options, name)),
        inject: [MODULE_OPTIONS_TOKEN],
      },
      {
        provide: GevListenWatch,
        useFactory: (server: GevServer) => new GevListenWatch(server),
        inject: [token],
      },
      ...aliases,
    ],
    exports: [token, GevCoreModule, ...aliases.map(({ provide }) => provide)],
  };
}

/** @throws GevOptionsError where the options bring a name of their own: the module had to know it before */
function named(options: GevServerOptions, name: string | undefined): GevServerOptions {
  const present = given(objectOf(options));
  if (present.name === undefined || present.name === name)
    return { ...present, ...(name !== undefined && { name }) };
  throw new GevOptionsError(
    'name',
    `Option "name" must stand beside useFactory, useClass or useExisting, not in what they give: forRootAsync({ name: '${present.name}', … })`,
  );
}
