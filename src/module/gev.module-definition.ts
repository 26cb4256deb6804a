import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { GevServerOptions } from '../core/options.js';

/** What `useClass` and `useExisting` of {@link GevModule.forRootAsync} must provide. */
export interface GevOptionsFactory {
  createGevOptions(): GevServerOptions | Promise<GevServerOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<GevServerOptions>({ moduleName: 'Gev' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createGevOptions')
    .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();

/** Options of {@link GevModule.forRoot}: the server's, and whether all modules see it (`isGlobal`, default true). */
export type GevModuleOptions = typeof OPTIONS_TYPE;

/** Options of {@link GevModule.forRootAsync}: `imports`, `inject`, and `useFactory`, `useClass` or `useExisting`. */
export type GevModuleAsyncOptions = typeof ASYNC_OPTIONS_TYPE;
