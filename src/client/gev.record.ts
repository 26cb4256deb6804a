import { isBranded } from '../core/both-builds.js';
import { MAX_DELAY } from '../core/constants.js';
import { integer, refuse, refuseUnknown } from '../core/option-checks.js';
import { checkRetry, type GevRetryOptions } from './calls/retry.js';

/** What travels beside a request's data: a trace id, a tenant, a locale. */
export type GevMetadata = Readonly<Record<string, string>>;

/** What a {@link GevRecord} may say about its request. */
export interface GevRecordOptions {
  /** How long to wait for the first reply, in milliseconds, instead of `requestTimeout`; 0: without end. */
  readonly timeout?: number | undefined;
  /** Travels beside the data; handlers read it with `GevContext.getMetadata()`. */
  readonly metadata?: GevMetadata | undefined;
  /** Sends a request again that was not begun; events are sent once. */
  readonly retry?: GevRetryOptions | undefined;
  /** Ends the request, with a {@link GevAbortedError}, when it aborts; our own server is told to stop. */
  readonly signal?: AbortSignal | undefined;
}

const BRAND = Symbol.for('gev:record');
const RECORD_OPTIONS: readonly string[] = ['timeout', 'metadata', 'retry', 'signal'];

/**
 * Data with options for this one request or event: give it to `send()` or `emit()` in place of the data. Made by a
 * {@link GevRecordBuilder}.
 *
 * @publicApi
 */
export class GevRecord<Data = unknown> {
  /** @throws GevOptionsError for unknown options, and a timeout that is no number */
  constructor(
    readonly data: Data,
    readonly options: GevRecordOptions = {},
  ) {
    for (const name in options) {
      if (!RECORD_OPTIONS.includes(name)) refuseUnknown(options, RECORD_OPTIONS, { owner: 'A GevRecord' });
    }
    if (options.timeout !== undefined && typeof options.timeout !== 'number')
      integer(options, 'timeout', 0, MAX_DELAY);
  }

  /** @internal */
  get [BRAND](): true {
    return true;
  }
}

/** Whether data is a {@link GevRecord}, of either build. */
export function isRecord(data: unknown): data is GevRecord {
  return isBranded(data, BRAND);
}

/**
 * Builds a {@link GevRecord}.
 *
 * @example
 * ```ts
 * client.send('sum', new GevRecordBuilder([1, 2, 3]).setTimeout(500).setMetadata({ tenant: 'a' }).build());
 * ```
 * @publicApi
 */
export class GevRecordBuilder<Data = unknown> {
  private options: GevRecordOptions = {};

  constructor(private data?: Data) {}

  /** The data, where the constructor was not given it. */
  setData(data: Data): this {
    this.data = data;
    return this;
  }

  /**
   * @param ms whole milliseconds until the first reply; 0: without end
   * @throws GevOptionsError
   */
  setTimeout(ms: number): this {
    this.options = { ...this.options, timeout: integer({ timeout: ms }, 'timeout', 0, MAX_DELAY) };
    return this;
  }

  /**
   * Travels beside the data; handlers read it with `GevContext.getMetadata()`.
   *
   * @throws GevOptionsError
   */
  setMetadata(metadata: GevMetadata): this {
    if (typeof metadata !== 'object' || metadata === null) {
      throw refuse('metadata', metadata, 'an object of strings');
    }
    this.options = { ...this.options, metadata };
    return this;
  }

  /**
   * Ends the request with a {@link GevAbortedError} when it aborts.
   *
   * @throws GevOptionsError
   */
  setSignal(signal: AbortSignal): this {
    if (typeof signal?.addEventListener !== 'function') throw refuse('signal', signal, 'an AbortSignal');
    this.options = { ...this.options, signal };
    return this;
  }

  /**
   * Sends the request again where it was certainly not begun: it found no connection, or the server says so (a {@link
   * GevOverloadedError}, or while it shuts down). With `idempotent` also where its connection was lost while it
   * was in flight. A request that has brought a value, has timed out or was aborted is never sent again, nor one that an
   * error of its handler has ended. The timeout holds for all attempts together.
   *
   * @throws GevOptionsError
   * @example
   * ```ts
   * new GevRecordBuilder(id).setRetry({ attempts: 3, idempotent: true }).setTimeout(2_000).build();
   * ```
   */
  setRetry(retry: GevRetryOptions): this {
    this.options = { ...this.options, retry: checkRetry(retry) };
    return this;
  }

  /** What to give `send()` or `emit()` in place of the data. */
  build(): GevRecord<Data> {
    return new GevRecord(this.data as Data, this.options);
  }
}
