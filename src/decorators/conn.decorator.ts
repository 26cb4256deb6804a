import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { contextOf } from './context-of.js';
import { hideParamTypes } from './param-type.js';

const decorate = createParamDecorator((_: unknown, execution: ExecutionContext) =>
  contextOf('Conn', execution).getConnection(),
)();

/**
 * Gives a handler's parameter the {@link GevConnection} that the call is about.
 *
 * @throws GevError in handlers of other transports
 * @example
 * ```ts
 * @OnMessage()
 * message(@Payload() data: Buffer, @Conn() conn: GevConnection) {}
 * ```
 * @publicApi
 */
export function Conn(): ParameterDecorator {
  return (target, key, index) => {
    decorate(target, key, index);
    if (key !== undefined) hideParamTypes(target, key, index);
  };
}
