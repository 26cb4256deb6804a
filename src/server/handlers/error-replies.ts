import { types } from 'node:util';
import { inCommon } from '../../core/both-builds.js';
import type { GevErrorCodec } from '../../core/error-codec.js';
import { INTERNAL_ERROR, isLoggedByNest } from './nest-handler.js';

/** By what Nest tells callers: what was thrown. A filter runs in one build, the server perhaps in the other. */
const thrown = inCommon('thrown-errors', () => new WeakMap<object, unknown>());

/** Remembers what was thrown, for servers that tell more of it. */
export function rememberThrown(told: object, exception: unknown): void {
  thrown.set(told, exception);
}

/** What callers are told of what their handler has failed with. */
export class ErrorReplies {
  /**
   * @param codec undefined: as Nest has it
   * @param report the codec has thrown: it is done without
   */
  constructor(
    private readonly codec: GevErrorCodec | undefined,
    private readonly report: (error: unknown) => void,
  ) {}

  /** Of what came out of Nest's filters: they have decided what is meant for the caller. */
  ofFiltered(error: unknown): unknown {
    const told = toldOf(error);
    if (this.codec === undefined) return told;
    const exception = thrown.get(error as object);
    return exception === undefined
      ? this.encode(error, told, false)
      : this.encode(exception, told, isLoggedByNest(error));
  }

  /** Of what no filter has seen. */
  ofThrown(error: unknown): unknown {
    return this.encode(error, toldOf(error), true);
  }

  /** Whether an error is meant for callers, whoever throws it. */
  expects(error: unknown): boolean {
    try {
      return this.codec?.expects?.(error) === true;
    } catch (failure) {
      this.report(failure);
      return false;
    }
  }

  private encode(error: unknown, told: unknown, unexpected: boolean): unknown {
    if (this.codec === undefined) return told;
    try {
      return this.codec.encode(error, told, unexpected);
    } catch (failure) {
      this.report(failure);
      return told instanceof Error ? INTERNAL_ERROR : told;
    }
  }
}

/** An error that JSON would show as `{}` says at least that there was one. */
function toldOf(error: unknown): unknown {
  const blank = types.isNativeError(error) && Object.keys(error).length === 0 && !('toJSON' in error);
  return blank ? INTERNAL_ERROR : error;
}
