import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { RUN_AFTER_METADATA, RUN_EVERY_METADATA } from './gev-timer.constants.js';
import type { RunAfterOptions, RunEveryOptions } from './gev-timer.interfaces.js';

/** Reads what `@RunEvery` and `@RunAfter` have left on a method. */
@Injectable()
export class GevTimerMetadataAccessor {
  constructor(private readonly reflector: Reflector) {}

  getInterval(method: () => unknown): RunEveryOptions | undefined {
    return this.reflector.get<RunEveryOptions | undefined>(RUN_EVERY_METADATA, method);
  }

  getDelay(method: () => unknown): RunAfterOptions | undefined {
    return this.reflector.get<RunAfterOptions | undefined>(RUN_AFTER_METADATA, method);
  }
}
