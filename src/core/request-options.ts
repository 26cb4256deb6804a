import { DEFAULT_REQUEST_TIMEOUT, MAX_DELAY } from './constants.js';
import type { GevData } from './data.js';
import { flag, given, integer, refuse, refuseUnknown } from './option-checks.js';

/**
 * Options of {@link GevConnection.request}.
 *
 * @typeParam Frame what the framing delivers
 */
export interface GevRequestOptions<Frame = GevData> {
  /** How long the answer may take, in ms, from when the request is sent; 0: without end. Default: 5000. */
  readonly timeout?: number;
  /**
   * Whether a frame is the answer. The first that is goes to no handler. Called in the async context of the request; what it
   * throws ends this request. Default: the packet format tells by an id, or answers come in the order of the requests.
   */
  match?(frame: Frame): boolean;
  /**
   * Sent only when no other request of this connection is in flight, and alone until it is answered or given up: for peers
   * that get confused by more than one at a time. Those that are made meanwhile wait. Default: false.
   */
  readonly exclusive?: boolean;
  /** Gives up when it aborts. */
  readonly signal?: AbortSignal;
}

const KNOWN = ['timeout', 'match', 'exclusive', 'signal'] satisfies (keyof GevRequestOptions)[];

/** {@link GevRequestOptions}, checked. */
export interface ResolvedRequestOptions {
  readonly timeout: number;
  readonly match: ((frame: unknown) => unknown) | undefined;
  readonly exclusive: boolean;
  readonly signal: AbortSignal | undefined;
}

/** @throws GevOptionsError */
export function resolveRequestOptions(
  options: GevRequestOptions<unknown> | undefined,
): ResolvedRequestOptions {
  if (options === undefined || options === null) return DEFAULTS;
  if (typeof options !== 'object')
    throw refuse('options', options, 'an object, the second argument of request()');
  const own: GevRequestOptions<unknown> = given(options);
  refuseUnknown(own, KNOWN, { owner: 'request()' });
  const { match, signal } = own as { readonly match?: unknown; readonly signal?: unknown };
  if (match !== undefined && typeof match !== 'function') throw refuse('match', match, 'a function');
  if (signal !== undefined && !isSignal(signal)) throw refuse('signal', signal, 'an AbortSignal');
  return {
    timeout: integer(own, 'timeout', 0, MAX_DELAY) ?? DEFAULT_REQUEST_TIMEOUT,
    match: match as ((frame: unknown) => unknown) | undefined,
    exclusive: flag(own, 'exclusive') ?? false,
    signal,
  };
}

const DEFAULTS: ResolvedRequestOptions = {
  timeout: DEFAULT_REQUEST_TIMEOUT,
  match: undefined,
  exclusive: false,
  signal: undefined,
};

/** Of whatever realm. */
function isSignal(value: unknown): value is AbortSignal {
  return typeof (value as Partial<AbortSignal>).aborted === 'boolean';
}
