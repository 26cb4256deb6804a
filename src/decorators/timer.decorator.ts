import { SetMetadata } from '@nestjs/common';
import { decorated } from '../core/decorated.js';
import { decoratedMethod } from './decorator-options.js';

/**
 * Marks a method for the explorer of timers.
 *
 * @param decorator its name, for messages
 */
export function timerDecorator(decorator: string, metadataKey: symbol, options: object): MethodDecorator {
  return (target, key, descriptor) => {
    const { label } = decoratedMethod(decorator, target, key, descriptor);
    decorated.timers.add(label);
    SetMetadata(metadataKey, options)(target, key, descriptor);
  };
}
