import type { CustomClientOptions } from '@nestjs/microservices';
import { GevClient } from './gev.client.js';
import type { GevClientOptions } from './gev.client.options.js';

/** What {@link gevClient} makes. */
export interface GevClientProvider extends CustomClientOptions {
  readonly transport: undefined;
}

/**
 * A {@link GevClient} for whatever makes clients from options: `ClientsModule`, `@Client()`, `ClientProxyFactory.create()`
 * and the microservice check of Terminus. Nest's own types know nothing of the options of a custom client; here they are
 * checked.
 *
 * @example
 * ```ts
 * ClientsModule.register([{ name: 'MATH', ...gevClient({ host: 'math', port: 3000 }) }]);
 * ClientsModule.registerAsync([{ name: 'MATH', useFactory: () => gevClient({ host: 'math', port: 3000 }) }]);
 * this.microservice.pingCheck('math', gevClient({ host: 'math', port: 3000 }));
 * ```
 * @publicApi
 */
export function gevClient(options: GevClientOptions = {}): GevClientProvider {
  return { transport: undefined, customClass: GevClient, options };
}
