import { NO_BEGINNING } from '../engine/inbound-listener.js';
import type { ConnectionFraming } from './connection-framing.js';

/** The first byte of a length of four bytes, of frames up to 64 MiB. */
const MAX_FIRST_BYTE = 3;
/** `<length>#<json>`, or its first four bytes at least. */
const NEST_TCP = /^(\d{4}|\d{1,3}#)/;

/**
 * How a peer's first frame was no frame of the codec because it is one of another, in words; undefined where nothing is known.
 *
 * @param badFrame see {@link InboundListener.onClose}
 */
export function mismatchOf(framing: ConnectionFraming, badFrame: number): string | undefined {
  if (badFrame === 0 || !framing.nestPackets) return undefined;
  const peer = framing.isNestTcp ? withLength(badFrame) : asNestTcp(framing, badFrame);
  if (peer === undefined) return undefined;
  return `${peer}, and this side speaks ${framing.codec}: give both sides the same codec`;
}

function withLength(badFrame: number): string | undefined {
  const first = badFrame - NO_BEGINNING;
  if (first < 0 || first > MAX_FIRST_BYTE) return undefined;
  return 'the peer puts a length of 4 bytes in front, as msgpack does';
}

function asNestTcp({ engine: { lengthField } }: ConnectionFraming, badFrame: number): string | undefined {
  if (lengthField === undefined) return undefined;
  const { size, littleEndian, offset, adjustment, includesHeader, strip } = lengthField;
  if (size !== 4 || littleEndian || offset + adjustment !== 0 || includesHeader || strip !== -1)
    return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(badFrame);
  return NEST_TCP.test(bytes.toString('latin1')) ? "the peer speaks nest-json, Nest's own format" : undefined;
}
