import type { ExecutionContext } from '@nestjs/common';
import type { GevContext } from '../context/gev.context.js';
import { GevError } from '../core/errors.js';

/**
 * The {@link GevContext} of a call, for a parameter decorator.
 *
 * @throws GevError where the call came over another transport
 */
export function contextOf(decorator: string, execution: ExecutionContext): GevContext {
  const context = execution.switchToRpc().getContext<Partial<GevContext> | undefined>();
  if (typeof context?.getConnection === 'function') return context as GevContext;
  throw new GevError(
    'ERR_GEV_INVALID_HANDLER',
    `@${decorator}() works in calls that came to a GevServer: this one, of type "${execution.getType()}", has no GevContext`,
  );
}
