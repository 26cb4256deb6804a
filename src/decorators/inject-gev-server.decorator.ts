import { Inject } from '@nestjs/common';
import { getGevServerToken } from '../server/gev-servers.js';

/**
 * Injects the {@link GevServer} that `GevModule.forRoot({ name })` has made; without a name, the one without a name.
 *
 * @example
 * ```ts
 * constructor(@InjectGevServer('devices') private readonly devices: GevServer) {}
 * ```
 * @publicApi
 */
export function InjectGevServer(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getGevServerToken(name));
}
