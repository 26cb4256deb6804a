import { MAX_DELAY } from './constants.js';
import { GevOptionsError } from './errors.js';
import { integer, isIntegerIn, nested, refuse } from './option-checks.js';
import type { GevKeepAliveOptions } from './options.js';

/** What Linux takes at most, in seconds and in probes. */
const MAX_KEEP_ALIVE_MS = 32_767_000;
const MAX_PROBES = 127;
const DEFAULT_DELAY = 60_000;
const DEFAULT_COUNT = 3;
/** What systems measure keep-alive in. */
const LEAST_INTERVAL = 1_000;

/** How the system finds out that a peer is gone without a word. */
export interface ResolvedLiveness {
  readonly keepAlive: Required<GevKeepAliveOptions> | false;
  readonly userTimeout: number;
}

/** @throws GevOptionsError */
export function resolveLiveness(options: {
  readonly keepAlive?: unknown;
  readonly userTimeout?: unknown;
}): ResolvedLiveness {
  const keepAlive = resolveKeepAlive(options.keepAlive);
  const userTimeout = integer(options, 'userTimeout', 0, MAX_DELAY) ?? 0;
  if (keepAlive !== false && userTimeout > 0) {
    const { delay, interval, count } = keepAlive;
    const least = delay + interval * count;
    if (userTimeout < least) {
      throw new GevOptionsError(
        'userTimeout',
        `Option "userTimeout" (${userTimeout}) must be at least ${least}, the delay + interval × count of "keepAlive": one lost probe would end a connection`,
      );
    }
  }
  return { keepAlive, userTimeout };
}

function resolveKeepAlive(value: unknown): Required<GevKeepAliveOptions> | false {
  if (value === undefined || value === false) return false;
  if (value === true) return keepAliveOf({});
  if (isIntegerIn(value, 1, MAX_KEEP_ALIVE_MS)) return keepAliveOf({ delay: value });
  if (typeof value !== 'object') {
    throw refuse(
      'keepAlive',
      value,
      `a boolean, an integer from 1 to ${MAX_KEEP_ALIVE_MS} (milliseconds) or an object of delay, interval, count`,
    );
  }
  const options = nested(value, 'keepAlive', ['delay', 'interval', 'count']);
  return keepAliveOf({
    delay: integer(options, 'keepAlive.delay', 1, MAX_KEEP_ALIVE_MS),
    interval: integer(options, 'keepAlive.interval', 1, MAX_KEEP_ALIVE_MS),
    count: integer(options, 'keepAlive.count', 1, MAX_PROBES),
  });
}

/** What is left out is derived from the rest. */
export function keepAliveOf({
  delay = DEFAULT_DELAY,
  interval = Math.max(Math.ceil(delay / 3), LEAST_INTERVAL),
  count = DEFAULT_COUNT,
}: {
  readonly [Key in keyof GevKeepAliveOptions]?: number | undefined;
}): Required<GevKeepAliveOptions> {
  return { delay, interval, count };
}
