import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { GevContext } from '../context/gev.context.js';
import type { GevConnection } from '../core/connection.js';

/**
 * Gives a handler's parameter the {@link GevConnection} that the call is about.
 *
 * @example
 * ```ts
 * @OnMessage()
 * message(@Payload() data: Buffer, @Conn() conn: GevConnection) {}
 * ```
 * @publicApi
 */
export const Conn: () => ParameterDecorator = createParamDecorator(
  (_: unknown, context: ExecutionContext): GevConnection =>
    context.switchToRpc().getContext<GevContext>().getConnection(),
);
