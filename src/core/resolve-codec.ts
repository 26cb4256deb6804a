import { FrameEnvelope } from '../engine/frame-envelope.js';
import type { GevCodec } from '../protocol/codec.js';
import type { DelimitedFraming, GevFraming, LengthFieldFraming } from '../protocol/framing.js';
import { nestJson } from '../protocol/nest-json/nest-json.js';
import { NEST_JSON_PACKETS } from '../protocol/packet-format.js';
import { MAX_FRAME_LENGTH } from './constants.js';
import { engineFraming } from './engine-framing.js';
import { GevOptionsError } from './errors.js';
import { isIntegerIn, MAX_INT32, refuse, refuseUnknown, show } from './option-checks.js';

const MAX_DELIMITER = 16;
const MAX_HEADER = 65_535;
const MAX_ADJUSTMENT = 2 ** 31 - 1;
const LENGTHS: readonly unknown[] = [1, 2, 3, 4, 8, 'varint'];
const KINDS: readonly unknown[] = ['raw', 'nest-tcp', 'delimited', 'length-field', 'custom'];

/**
 * The codec, checked; undefined stands for {@link nestJson}.
 *
 * @throws GevOptionsError
 */
export function resolveCodec(codec: Partial<GevCodec> | null | undefined): GevCodec {
  if (codec === undefined || codec === null) return nestJson();
  if (!isCodec(codec)) throw refuse('codec', codec, 'a codec such as nestJson(), raw() or line()');
  const { name, unknown } = codec;
  if (unknown !== undefined) refuseUnknown(unknown.given, unknown.known, { within: `${name}.` });
  checkFraming(name, codec.framing);
  checkRequests(name, codec.packets);
  return codec;
}

function isCodec(codec: Partial<GevCodec>): codec is GevCodec {
  if (typeof codec !== 'object' || typeof codec.name !== 'string') return false;
  if (!KINDS.includes((codec.framing as Partial<GevFraming> | undefined)?.kind)) return false;
  const { concurrency, packets } = codec;
  if (concurrency !== Infinity && !isIntegerIn(concurrency, 1, MAX_INT32)) return false;
  if (packets === undefined || packets === NEST_JSON_PACKETS) return true;
  if ('decode' in packets)
    return typeof packets.decode === 'function' && typeof packets.encode === 'function';
  return typeof packets.read === 'function' && typeof packets.write === 'function';
}

function checkRequests(name: string, packets: GevCodec['packets']): void {
  if (packets === undefined || packets === NEST_JSON_PACKETS) return;
  const { request, requestIds } = packets as { readonly request?: unknown; readonly requestIds?: unknown };
  if (request !== undefined && typeof request !== 'function') {
    throw refuse(`${name}.request`, request, 'a function');
  }
  if (requestIds === undefined) return;
  const ids: readonly unknown[] = Array.isArray(requestIds) ? requestIds : [];
  if (ids.length !== 2 || !ids.every(Number.isSafeInteger) || Number(ids[0]) > Number(ids[1])) {
    throw refuse(`${name}.requestIds`, requestIds, 'the first and the last id, [1, 255] say');
  }
  if (request === undefined) {
    throw new GevOptionsError(
      `${name}.requestIds`,
      `${name}.requestIds needs "request", which makes a frame of an id`,
    );
  }
}

function checkFraming(name: string, framing: GevFraming): void {
  switch (framing.kind) {
    case 'raw':
      if (typeof framing.copy !== 'boolean') throw refuse(`${name}.copy`, framing.copy, 'true or false');
      break;
    case 'delimited':
      checkDelimiter(name, framing);
      checkText(name, framing);
      break;
    case 'length-field':
      checkLengthField(name, framing);
      checkText(name, framing);
      break;
    case 'nest-tcp':
    case 'custom':
  }
}

function checkDelimiter(name: string, { delimiter }: DelimitedFraming): void {
  const fits = typeof delimiter === 'string' || delimiter instanceof Uint8Array;
  const length = fits ? Buffer.byteLength(delimiter) : 0;
  if (length < 1 || length > MAX_DELIMITER) {
    throw refuse(`${name}.delimiter`, delimiter, `1 to ${MAX_DELIMITER} bytes, as a string or Uint8Array`);
  }
}

function checkText(name: string, { maxLength, encoding }: DelimitedFraming | LengthFieldFraming): void {
  if (maxLength !== undefined && !isIntegerIn(maxLength, 1, MAX_FRAME_LENGTH)) {
    throw refuse(`${name}.maxLength`, maxLength, `an integer from 1 to ${MAX_FRAME_LENGTH} (bytes)`);
  }
  if (encoding !== undefined && !Buffer.isEncoding(encoding)) {
    throw refuse(`${name}.encoding`, encoding, "an encoding of Buffer's, such as 'utf8', or null");
  }
}

function checkLengthField(name: string, framing: LengthFieldFraming): void {
  const { length, endian, offset, adjustment, includesHeader, strip, encode } = framing;
  const check = (option: string, value: unknown, right: boolean, wanted: string): void => {
    if (!right) throw refuse(`${name}.${option}`, value, wanted);
  };
  check('length', length, LENGTHS.includes(length), "1, 2, 3, 4, 8 or 'varint'");
  check('endian', endian, endian === 'big' || endian === 'little', "'big' or 'little'");
  check('offset', offset, isIntegerIn(offset, 0, MAX_HEADER), `an integer from 0 to ${MAX_HEADER}`);
  const adjusts = isIntegerIn(adjustment, -MAX_ADJUSTMENT, MAX_ADJUSTMENT);
  check('adjustment', adjustment, adjusts, 'an integer of 32 bits');
  check('includesHeader', includesHeader, typeof includesHeader === 'boolean', 'true or false');
  const strips = strip === 'header' || isIntegerIn(strip, 0, MAX_HEADER);
  check('strip', strip, strips, `'header' or an integer from 0 to ${MAX_HEADER}`);
  check('encode', encode, encode === undefined || typeof encode === 'function', 'a function');
  if (encode !== undefined || FrameEnvelope.of(engineFraming(framing, MAX_FRAME_LENGTH)) !== undefined)
    return;
  throw new GevOptionsError(
    `${name}.encode`,
    `With offset ${offset}, length ${show(length)} and strip ${show(strip)} nothing tells how a frame is sent: give an ` +
      '"encode", a function that makes a whole frame of what is sent; or strip the header of a field at offset 0; or strip ' +
      'nothing, and send whole frames',
  );
}
