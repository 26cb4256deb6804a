import { type GevCodec, unknownOptions } from './codec.js';
import type { DelimitedFraming } from './framing.js';

/** Options of {@link line}. */
export interface LineOptions {
  /** What ends a line, 1 to 16 bytes; text stands for its UTF-8. With `'\n'` a `'\r'` in front of it goes, too. Default: `'\n'`. */
  readonly delimiter?: string | Uint8Array;
  /** Bytes of a line; a longer one ends the connection, reason `protocol`. Default: the server's `maxFrameLength`. */
  readonly maxLength?: number;
  /** Of the text that handlers get and that strings are sent in; `null`: handlers get Buffers. Default: `'utf8'`. */
  readonly encoding?: BufferEncoding | null;
}

/** Options of {@link delimited}. */
export interface DelimitedOptions {
  /** Bytes of a frame; a longer one ends the connection, reason `protocol`. Default: the server's `maxFrameLength`. */
  readonly maxLength?: number;
  /** Handlers get text of this encoding. Default: `null`, they get Buffers. */
  readonly encoding?: BufferEncoding | null;
}

/**
 * Lines of text: each message is one line, without its end, and what is sent gets one. An empty line is a message, too.
 *
 * @example
 * ```ts
 * new GevServer({ port: 1833, codec: line() });
 * new GevServer({ port: 1833, codec: line({ delimiter: '\r\n', maxLength: 512, encoding: 'latin1' }) });
 * ```
 * @publicApi
 */
export function line(options: LineOptions = {}): GevCodec {
  const { delimiter = '\n', maxLength, encoding } = options;
  const framing: DelimitedFraming = {
    ...{ kind: 'delimited', delimiter, stripCarriageReturn: delimiter === '\n' },
    ...{ maxLength, encoding: encoding === null ? undefined : (encoding ?? 'utf8') },
  };
  const unknown = unknownOptions(options, ['delimiter', 'maxLength', 'encoding']);
  return Object.freeze({ name: 'line', framing, concurrency: 1, ...unknown });
}

/**
 * Frames with these bytes behind each: a message has them no more, what is sent gets them. They must not occur in a frame.
 *
 * @param bytes 1 to 16
 * @example
 * ```ts
 * new GevServer({ port: 1833, codec: delimited(Buffer.from([0x03])) }); // ends with ETX
 * ```
 * @publicApi
 */
export function delimited(bytes: string | Uint8Array, options: DelimitedOptions = {}): GevCodec {
  const framing: DelimitedFraming = {
    ...{ kind: 'delimited', delimiter: bytes, stripCarriageReturn: false },
    ...{ maxLength: options.maxLength, encoding: options.encoding ?? undefined },
  };
  const unknown = unknownOptions(options, ['maxLength', 'encoding']);
  return Object.freeze({ name: 'delimited', framing, concurrency: 1, ...unknown });
}
