import { type EngineFraming, type EngineLengthField, FramingKind } from './engine-options.js';

const NOTHING = new Uint8Array(0);
const VARINT = 0;
/** What a varint of five bytes, the most that is read, may say. */
const MAX_VARINT = 2 ** 35 - 1;

/** Where the length of what is sent goes, if anywhere. */
interface LengthPlace extends EngineLengthField {
  /** It is put in front of what is sent; else it is written into it, which is the whole frame. */
  readonly inFront: boolean;
}

/**
 * Makes a frame of what is sent: puts a length in front of it, or writes it into it, or puts a delimiter behind it. The
 * counterpart of native/protocol's framers of bytes and text.
 */
export class FrameEnvelope {
  /** What follows each frame. */
  readonly trailer: Uint8Array;
  /** Bytes that may be sent as one frame, at least and at most. */
  readonly minContent: number;
  readonly maxContent: number;
  /** Bytes in front of what is sent; -1: it depends on their number. */
  readonly header: number;

  private constructor(
    trailer: Uint8Array,
    private readonly place: LengthPlace | undefined,
  ) {
    this.trailer = trailer;
    this.header = place === undefined || !place.inFront ? 0 : place.size === VARINT ? -1 : place.size;
    const [min, max] = place === undefined ? [0, Infinity] : rangeOf(place);
    this.minContent = min;
    this.maxContent = max;
  }

  /**
   * Of a framing that can be made by itself: of lines and other delimited frames, and of a length field that is all there is
   * in front of what is delivered, or is part of what is delivered. Others are `undefined`: what else is in the header, only
   * whoever sends it knows.
   */
  static of({ kind, delimiter, lengthField }: EngineFraming): FrameEnvelope | undefined {
    if (kind === FramingKind.delimited) return new FrameEnvelope(delimiter!, undefined);
    if (kind !== FramingKind['length-field']) return undefined;
    const { size, offset, strip } = lengthField!;
    const inFront = offset === 0 && (strip === -1 || (strip === size && size !== VARINT));
    const within = strip === 0 && size !== VARINT;
    return inFront || within ? new FrameEnvelope(NOTHING, { ...lengthField!, inFront }) : undefined;
  }

  /** Bytes in front of `content` bytes. */
  headerOf(content: number): number {
    if (this.header >= 0) return this.header;
    const { adjustment, includesHeader } = this.place!;
    let header = 1;
    while (header < varintSize(content - adjustment + (includesHeader ? header : 0))) header++;
    return header;
  }

  /** Writes the length of a frame that begins at `at` and has a header of `header` bytes and `content` bytes. */
  writeLength(view: DataView, at: number, header: number, content: number): void {
    const { place } = this;
    if (place === undefined) return;
    const end = place.inFront ? header : place.offset + place.size;
    const value = header + content - place.adjustment - (place.includesHeader ? 0 : end);
    if (place.size === VARINT) writeVarint(view, at, value);
    else writeFixed(view, at + place.offset, place, value);
  }

  /** The frame of `data`, in memory of its own. */
  wrap(data: Uint8Array | string): Buffer {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const header = this.headerOf(bytes.length);
    const frame = Buffer.allocUnsafeSlow(header + bytes.length + this.trailer.length);
    frame.set(bytes, header);
    frame.set(this.trailer, header + bytes.length);
    this.writeLength(new DataView(frame.buffer), 0, header, bytes.length);
    return frame;
  }
}

function rangeOf({ size, offset, adjustment, includesHeader, inFront }: LengthPlace): [number, number] {
  const max = size === VARINT ? MAX_VARINT : size === 8 ? Number.MAX_SAFE_INTEGER : 2 ** (8 * size) - 1;
  if (!inFront) {
    const counted = adjustment + (includesHeader ? 0 : offset + size);
    return [Math.max(offset + size, counted), max + counted];
  }
  const counted = adjustment - (includesHeader ? Math.max(size, 1) : 0);
  return [Math.max(0, counted), max + adjustment - (includesHeader ? size || 5 : 0)];
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function writeVarint(view: DataView, at: number, value: number): void {
  let end = at;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) view.setUint8(end++, (rest & 0x7f) | 0x80);
  view.setUint8(end, rest);
}

function writeFixed(view: DataView, at: number, { size, littleEndian }: LengthPlace, value: number): void {
  switch (size) {
    case 1:
      view.setUint8(at, value);
      break;
    case 2:
      view.setUint16(at, value, littleEndian);
      break;
    case 3:
      view.setUint8(littleEndian ? at : at + 2, value);
      view.setUint16(littleEndian ? at + 1 : at, value >>> 8, littleEndian);
      break;
    case 4:
      view.setUint32(at, value, littleEndian);
      break;
    default:
      view.setUint32(littleEndian ? at : at + 4, value, littleEndian);
      view.setUint32(littleEndian ? at + 4 : at, Math.floor(value / 2 ** 32), littleEndian);
  }
}
