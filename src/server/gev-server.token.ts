import type { InjectionToken } from '@nestjs/common';
import { GevServer } from './gev.server.js';

/**
 * What the server of a {@link GevModule} is provided as: the class {@link GevServer} for the one without a name.
 *
 * @example
 * ```ts
 * app.connectMicroservice({ strategy: app.get(getGevServerToken('devices')) });
 * ```
 * @publicApi
 */
export function getGevServerToken(name?: string): InjectionToken<GevServer> {
  return name === undefined ? GevServer : Symbol.for(`GevServer:${name}`);
}
