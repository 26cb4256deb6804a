import type { Type } from '@nestjs/common';
import { inCommon } from '../core/both-builds.js';
import { GevServer } from '../server/gev.server.js';
import { GevTimerRegistry } from '../timers/gev-timer.registry.js';

/** The classes that users inject by the class itself, of each build of the package that is loaded. */
const loaded = inCommon('class-tokens', () => ({
  servers: new Set<Type>(),
  registries: new Set<Type>(),
}));
loaded.servers.add(GevServer);
loaded.registries.add(GevTimerRegistry);

/** The classes of the other build that stand for {@link GevServer}. */
export function otherServerClasses(): Type[] {
  return [...loaded.servers].filter((each) => each !== GevServer);
}

/** As {@link otherServerClasses}, for {@link GevTimerRegistry}. */
export function otherRegistryClasses(): Type[] {
  return [...loaded.registries].filter((each) => each !== GevTimerRegistry);
}
