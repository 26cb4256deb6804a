import { MAX_DELAY } from '../core/constants.js';
import { integer, refuse } from '../core/option-checks.js';

/** What travels beside a request's data: a trace id, a tenant, a locale. */
export type GevMetadata = Readonly<Record<string, string>>;

/** What a {@link GevRecord} may say about its request. */
export interface GevRecordOptions {
  /** How long to wait for the first reply, in milliseconds, instead of `requestTimeout`; 0: without end. */
  readonly timeout?: number | undefined;
  /** Travels beside the data; handlers read it with `GevContext.getMetadata()`. */
  readonly metadata?: GevMetadata | undefined;
  /** Ends the request, with a {@link GevAbortedError}, when it aborts; our own server is told to stop. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Data with options for this one request or event: give it to `send()` or `emit()` in place of the data. Made by a
 * {@link GevRecordBuilder}.
 *
 * @publicApi
 */
export class GevRecord<Data = unknown> {
  constructor(
    readonly data: Data,
    readonly options: GevRecordOptions = {},
  ) {}
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

  /** What to give `send()` or `emit()` in place of the data. */
  build(): GevRecord<Data> {
    return new GevRecord(this.data as Data, this.options);
  }
}
