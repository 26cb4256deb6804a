import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { CloseReason } from '../core/close-reason.js';
import { contextOf } from './context-of.js';

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
  (_: unknown, execution: ExecutionContext): CloseReason | undefined =>
    contextOf('Reason', execution).getReason(),
);
