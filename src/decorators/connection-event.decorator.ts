import 'reflect-metadata';
import { MessagePattern } from '@nestjs/microservices';
import { GEV_TRANSPORT } from '../core/constants.js';
import { decorated } from '../core/decorated.js';
import { GevError } from '../core/errors.js';
import {
  countEntry,
  HANDLER_MARKER,
  patternOf,
  type ConnectionEvent,
  type HandlerMarker,
} from '../server/handlers/handler-marker.js';
import type { GevHandlerOptions } from '../server/handlers/handler-extras.js';
import { decoratedMethod, decoratorOptions } from './decorator-options.js';
import { hideParamTypes } from './param-type.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

const DECORATORS: Readonly<Record<ConnectionEvent, string>> = {
  connect: 'OnConnect',
  message: 'OnMessage',
  close: 'OnClose',
};

/**
 * Registers a method for an event of connections, by Nest's own registration: guards, interceptors, pipes, filters,
 * parameter decorators and request scope come with it. It is a *message* pattern because Nest wraps event patterns once
 * more, at the price of another promise a call; the server keeps it off the wire.
 */
export function connectionEvent(event: ConnectionEvent, options?: GevHandlerOptions): MethodDecorator {
  const decorator = DECORATORS[event];
  const { server } = decoratorOptions(decorator, options, ['server']);
  return (target, key, descriptor) => {
    const { method, label } = decoratedMethod(decorator, target, key, descriptor);
    if (Reflect.hasMetadata(HANDLER_MARKER, method)) {
      throw new GevError(
        'ERR_GEV_INVALID_HANDLER',
        `${label} can handle one event only: give each a method of its own`,
      );
    }
    decorated.connectionHandlers.add(label);
    const marker: HandlerMarker = { event, label, entered: 0 };
    const counted = countCalls(method, marker);
    Reflect.defineMetadata(HANDLER_MARKER, event, counted);
    // The plain first argument of @OnConnect is the connection.
    if (event === 'connect') hideParamTypes(target, key);
    const replaced = { ...descriptor, value: counted } as typeof descriptor;
    const extras = { [HANDLER_MARKER]: marker, ...(server !== undefined && { server }) };
    MessagePattern(patternOf(event), GEV_TRANSPORT, extras)(target, key, replaced);
    return replaced;
  };
}

/** The same method, counting; it keeps the name, and what decorators below this one have left on it. */
function countCalls(method: Method, marker: HandlerMarker): Method {
  const counted: Method = function (...args) {
    countEntry(marker);
    return method.apply(this, args);
  };
  Object.defineProperty(counted, 'name', { value: method.name, configurable: true });
  Object.defineProperty(counted, 'length', { value: method.length, configurable: true });
  for (const metadataKey of Reflect.getOwnMetadataKeys(method) as unknown[]) {
    Reflect.defineMetadata(metadataKey, Reflect.getOwnMetadata(metadataKey, method), counted);
  }
  return counted;
}
