import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  ByteReader,
  custom,
  delimited,
  type GevCodec,
  type GevServerOptions,
  lengthField,
  type LengthFieldOptions,
  line,
  nestJson,
  packets,
  raw,
} from 'nestjs-gev';
import { msgpack } from 'nestjs-gev/msgpack';

/**
 * A codec as cases name it: its options, but bytes written as cases write them, and in place of an `encode` the `prefix` in
 * front of the length that it writes.
 */
export interface WireCodec {
  readonly codec: string;
  readonly options?: any;
}

/** What a peer sends, and what must become of it. Bytes are hexadecimal, or text of UTF-8 behind `text:`. */
export interface WireCase {
  readonly name: string;
  /** In pieces; each case is also played cut in other places. */
  readonly sends: readonly string[];
  /** What `@OnMessage` handlers must get, which return it; of a raw codec their bytes in one. */
  readonly frames: readonly string[];
  /** What handlers of patterns get, in order; bytes as `{ "$bytes": … }`. */
  readonly packets?: readonly (readonly [pattern: string, data: unknown])[];
  /** What comes back, in all; `same`: what was sent. */
  readonly replies: readonly string[] | 'same';
  /** Who ends the connection: the peer, when it has sent all, or the server, reason `protocol`, when all before is answered. */
  readonly ends?: 'peer' | 'protocol';
  /** The peer speaks Nest's packets in the other notation, and is told in this one to go away. */
  readonly mismatch?: boolean;
  /** The peer stops within a frame, and waits for what comes. */
  readonly silence?: boolean;
}

export interface WireGroup extends WireCodec {
  readonly server?: Pick<GevServerOptions, 'maxFrameLength' | 'incompleteFrameTimeout'>;
  readonly cases: readonly WireCase[];
}

const folder = fileURLToPath(new URL('cases', import.meta.url));

/** All cases, by their files. */
export function readCases(): [file: string, groups: WireGroup[]][] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.map((file) => [file, JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as WireGroup[]]);
}

/** Bytes as cases write them. */
export function bytesOf(text: string): Buffer {
  return text.startsWith('text:') ? Buffer.from(text.slice(5)) : Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** The codec that a case names. */
export function codecOf({ codec, options = {} }: WireCodec): GevCodec {
  switch (codec) {
    case 'raw':
      return raw();
    case 'nest-json':
      return nestJson();
    case 'msgpack':
      return msgpack(options);
    case 'line':
      return line(options.delimiter ? { ...options, delimiter: bytesOf(options.delimiter) } : options);
    case 'delimited': {
      const { delimiter, ...others } = options;
      return delimited(bytesOf(delimiter), others);
    }
    case 'length-field': {
      const { prefix, ...others } = options;
      return lengthField(prefix === undefined ? others : { ...others, encode: prefixed(prefix, others) });
    }
    case 'summed':
      return summed;
    case 'packets':
      return options.format === 'words' ? words(codecOf(options.over)) : records(codecOf(options.over));
    default:
      throw new Error(`No case may name the codec ${codec}`);
  }
}

/** Fixed bytes, and the length of the content. */
function prefixed(prefix: string, { length = 4, endian }: LengthFieldOptions): (frame: Buffer) => Buffer {
  return (frame) => {
    const field = [];
    for (let left = frame.length, byte = 0; byte < (length === 'varint' ? 1 : length); byte++, left >>= 8) {
      field.push(left & 0xff);
    }
    if (endian !== 'little') field.reverse();
    return Buffer.concat([bytesOf(prefix), Buffer.from(field), frame]);
  };
}

const sumOf = (bytes: Buffer): number => bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);

/** A length of one byte, 200 at most, so many bytes, and their sum. */
const summed = custom<Buffer>({
  open() {
    const reader = new ByteReader();
    return {
      *decode(chunk) {
        reader.push(chunk);
        while (reader.has(1)) {
          const length = reader.peekLength(1, { max: 200 });
          if (!reader.has(1 + length + 1)) break;
          reader.skip(1);
          const frame = reader.bytes(length);
          if (reader.uint(1) !== sumOf(frame)) throw new Error('the check sum is wrong');
          yield frame;
        }
        reader.compact();
      },
      encode: (frame) => Buffer.concat([Buffer.from([frame.length]), frame, Buffer.from([sumOf(frame)])]),
      get incomplete() {
        return reader.remaining > 0;
      },
    };
  },
});

/** `<pattern> <word>…` is answered `OK <value>` or `ERR <message>`; `ping` is no packet, `bad` is refused. */
function words(framing: GevCodec): GevCodec {
  return packets<string>(framing, {
    read(text) {
      if (text === 'ping') return undefined;
      if (text === 'bad') throw new Error('a bad word');
      const [pattern = '', ...data] = text.split(' ');
      return { pattern, data };
    },
    write({ data, error, last }) {
      if (error !== undefined) return `ERR ${(error as Error).message}`;
      return data === undefined && last ? undefined : `OK ${String(data)}`;
    },
  });
}

const RECORDS = new Map([
  [1, 'echo'],
  [2, 'position'],
  [3, 'late'],
  [4, 'release'],
  [5, 'nobody'],
]);

/** A kind of one byte, a number of two, and text; answers have the kind with its high bit set, errors the kind 255. */
function records(framing: GevCodec): GevCodec {
  return packets(framing, {
    concurrency: Infinity,
    read(frame) {
      if (frame.length < 3) throw new Error('a record without its number');
      const pattern = RECORDS.get(frame[0]!);
      if (pattern === undefined) return undefined;
      return { pattern, data: frame.toString('utf8', 3), id: frame.subarray(0, 3) };
    },
    write({ data, error, last }, { id }) {
      const header = Buffer.from(id as Buffer);
      if (error === undefined && data === undefined && last) return undefined;
      header[0] = error === undefined ? header[0]! | 0x80 : 0xff;
      const text = error === undefined ? String(data) : (error as Error).message;
      return Buffer.concat([header, Buffer.from(text)]);
    },
  });
}
