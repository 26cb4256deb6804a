import { SetMetadata } from '@nestjs/common';
import { decorated } from '../core/decorated.js';

/** Marks a method for the explorer of timers. */
export function timerDecorator(metadataKey: symbol, options: object): MethodDecorator {
  return (target, key, descriptor) => {
    decorated.timers.add(`${target.constructor.name}.${String(key)}`);
    SetMetadata(metadataKey, options)(target, key, descriptor);
  };
}
