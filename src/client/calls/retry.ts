import { GevConnectionLostError, GevNotConnectedError } from '../../core/client-errors.js';
import { MAX_DELAY } from '../../core/constants.js';
import { GevConnectError } from '../../core/errors.js';
import { flag, given, integer, nested, refuse } from '../../core/option-checks.js';

/** How a request is sent again; see {@link GevRecordBuilder.setRetry}. */
export interface GevRetryOptions {
  /** How often at most, beyond the first time. 1 to 100. */
  readonly attempts: number;
  /**
   * Handling the request twice does no harm, so it is sent again, too, when its connection was lost and nobody knows whether
   * it was handled. Default: false.
   */
  readonly idempotent?: boolean;
  /** Before the first of them, in ms; doubled before each further one. Chance takes up to a half off. Default: 50. */
  readonly delay?: number;
  /** The longest of these delays, in ms. Default: 1000. */
  readonly maxDelay?: number;
}

const DEFAULTS = { idempotent: false, delay: 50, maxDelay: 1_000 };
const MEMBERS = ['attempts', 'idempotent', 'delay', 'maxDelay'];
const MAX_ATTEMPTS = 100;

/** @throws GevOptionsError */
export function checkRetry(retry: GevRetryOptions): GevRetryOptions {
  const members = nested(retry, 'retry', MEMBERS);
  const attempts = integer(members, 'retry.attempts', 1, MAX_ATTEMPTS);
  if (attempts === undefined)
    throw refuse('retry.attempts', attempts, `an integer from 1 to ${MAX_ATTEMPTS}`);
  flag(members, 'retry.idempotent');
  integer(members, 'retry.delay', 0, MAX_DELAY);
  integer(members, 'retry.maxDelay', 0, MAX_DELAY);
  return { ...given(retry) };
}

/**
 * How long to wait before a request is sent again, in ms; undefined: its error stands.
 *
 * @param tries how often it was sent again before
 * @param refused the server itself says that it has not begun it
 * @param chance at least 0, less than 1
 */
export function retryDelay(
  options: GevRetryOptions,
  tries: number,
  error: unknown,
  refused: boolean,
  chance: number,
): number | undefined {
  const { attempts, idempotent, delay, maxDelay } = { ...DEFAULTS, ...options };
  const harmless =
    refused || foundNoConnection(error) || (idempotent && error instanceof GevConnectionLostError);
  if (tries >= attempts || !harmless) return undefined;
  const longest = Math.min(delay * 2 ** tries, maxDelay);
  return longest * (1 - chance / 2);
}

function foundNoConnection(error: unknown): boolean {
  return error instanceof GevConnectError || error instanceof GevNotConnectedError;
}
