import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { GevContext } from '../context/gev.context.js';
import type { CloseReason } from '../core/close-reason.js';

/**
 * Gives a parameter of an `@OnClose()` method the {@link CloseReason}; undefined in other handlers.
 *
 * @example
 * ```ts
 * @OnClose()
 * left(@Reason() reason: CloseReason): void {}
 * ```
 * @publicApi
 */
export const Reason: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): CloseReason | undefined =>
    context.switchToRpc().getContext<GevContext>().getReason(),
);
