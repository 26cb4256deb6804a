import type { NativeReactor } from './binding.js';
import { FIXED_TEXT_EXCESS } from '../fixed-text.js';
import type { FrameEnvelope } from '../frame-envelope.js';
import {
  CONTROL_IN_BATCH,
  CONTROL_OPEN_SLAB,
  LITTLE_ENDIAN,
  RECORD_HEADER,
  SLAB_HEADER,
  SLAB_SIZE,
} from './layout.js';
import { type FramePiece, MAX_FRAME_HEADER, MAX_SHARED_PAYLOAD, Operation } from '../loop-port.js';
import { writeText } from './write-text.js';

/** Payloads above this go out in pieces, so that a large one needs no slab of its own. */
const MAX_PIECE = SLAB_SIZE / 2;
/** Pieces of text up to this are written by a loop: a native call costs more. */
const MAX_LOOPED_PIECE = 48;
const ZERO = 0x30;
const HASH = 0x23;

/** Asks for a flush after all promise jobs and ticks of the current turn have run. */
export type FlushScheduler = () => void;

/**
 * Writes records for one loop into its open outbound slab: no native call for each, one hand-over a turn. Within a batch
 * the addon hands over by itself when the batch's promise jobs are done; outside, a flush is scheduled.
 */
export class Outbound {
  private readonly words: readonly Int32Array[];
  private readonly bytes: readonly Buffer[];
  private readonly views: readonly DataView[];
  private index = -1;
  private openWords!: Int32Array;
  private openBytes!: Buffer;
  private openView!: DataView;
  // The last record, if it is a send that the next send to the same connection may continue.
  private lastRecord = 0;
  private lastSlot = -1;
  private lastGeneration = -1;
  private lastEnd = -1;
  private lastPayloadEnd = 0;

  constructor(
    private readonly reactor: NativeReactor,
    private readonly loop: number,
    slabs: readonly ArrayBuffer[],
    private readonly control: Int32Array,
    private readonly scheduleFlush: FlushScheduler,
    /** Bytes of a frame's content that may be sent. */
    private readonly longestFrame: number,
  ) {
    this.words = slabs.map((slab) => new Int32Array(slab));
    this.bytes = slabs.map((slab) => Buffer.from(slab));
    this.views = slabs.map((slab) => new DataView(slab));
  }

  /** Copies `data` for a connection. `flags`: bits of SendFlag. */
  send(slot: number, generation: number, data: Uint8Array, flags: number): void {
    const { length } = data;
    if (length <= MAX_PIECE) {
      const at = this.reserveSend(slot, generation, length);
      this.openBytes.set(data, at);
      this.commitSend(slot, generation, at, length, flags);
      return;
    }
    for (let start = 0; start < length; start += MAX_PIECE) {
      const end = Math.min(start + MAX_PIECE, length);
      const at = this.reserveSend(slot, generation, end - start);
      this.openBytes.set(data.subarray(start, end), at);
      this.commitSend(slot, generation, at, end - start, end === length ? flags : 0);
    }
  }

  /** As send(), of a string whose UTF-8 length is known. */
  sendText(slot: number, generation: number, text: string, length: number, flags: number): void {
    if (length > MAX_PIECE) {
      this.send(slot, generation, Buffer.from(text), flags);
      return;
    }
    const at = this.reserveSend(slot, generation, length);
    writeText(this.openBytes, text, at, length);
    this.commitSend(slot, generation, at, length, flags);
  }

  /**
   * Sends `<length>#<text>`, the text in pieces so that nobody has to join them; the length is in UTF-16 code units. A
   * surrogate pair must lie in one piece, as in the pieces of JSON it does.
   *
   * @returns the bytes of it all; those of the text alone, negative, when it is too long, and then nothing was sent
   */
  sendFrame(slot: number, generation: number, pieces: readonly FramePiece[], flags: number): number {
    let units = 0;
    for (let i = 0; i < pieces.length; i++) units += pieces[i]!.length;
    const most = MAX_FRAME_HEADER + 3 * units + FIXED_TEXT_EXCESS; // UTF-8 takes three bytes a unit at most
    if (most > MAX_PIECE) {
      if (units > this.longestFrame) return -Buffer.byteLength(pieces.join(''));
      const header = `${units}#`;
      const data = Buffer.from(`${header}${pieces.join('')}`);
      if (data.length - header.length > this.longestFrame) return header.length - data.length;
      this.send(slot, generation, data, flags);
      return data.length;
    }
    const start = this.reserveSend(slot, generation, most);
    const text = this.writeFrameHeader(units, start);
    let at = text;
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!;
      at = typeof piece === 'string' ? this.writePiece(piece, at) : piece.write(this.openView, at);
    }
    if (at - text > this.longestFrame) return text - at;
    this.commitSend(slot, generation, start, at - start, flags);
    return at - start;
  }

  /**
   * Sends the frame that `envelope` makes of `data`, written side by side into one record.
   *
   * @returns the bytes of it all; those of the data alone, negative, when it is too long, and 0 when it is too short, and
   * then nothing was sent
   */
  sendEnclosed(
    slot: number,
    generation: number,
    envelope: FrameEnvelope,
    data: Uint8Array | string,
    flags: number,
  ): number {
    const { trailer } = envelope;
    const isText = typeof data === 'string';
    const most = MAX_FRAME_HEADER + data.length * (isText ? 3 : 1) + trailer.length;
    if (most > MAX_PIECE) return this.sendWrapped(slot, generation, envelope, data, flags);
    const start = this.reserveSend(slot, generation, most);
    const header =
      envelope.header >= 0
        ? envelope.header
        : envelope.headerOf(isText ? Buffer.byteLength(data) : data.length);
    let end = start + header;
    if (isText) end = this.writePiece(data, end);
    else {
      this.openBytes.set(data, end);
      end += data.length;
    }
    const content = end - start - header;
    if (content > this.longestFrame || content > envelope.maxContent) return -content;
    if (content < envelope.minContent) return 0;
    envelope.writeLength(this.openView, start, header, content);
    for (let i = 0; i < trailer.length; i++) this.openBytes[end++] = trailer[i]!;
    this.commitSend(slot, generation, start, end - start, flags);
    return end - start;
  }

  /** The same payload (MAX_SHARED_PAYLOAD at most) for several connections: slot and generation of each in turn. */
  multicast(data: Uint8Array, receivers: readonly number[]): void {
    if (data.length > MAX_SHARED_PAYLOAD) {
      throw new RangeError(`A payload of ${data.length} bytes is too long to be shared`);
    }
    const padded = (data.length + 3) & ~3;
    const perRecord = ((SLAB_SIZE - SLAB_HEADER - RECORD_HEADER - padded) >> 3) << 1;
    for (let start = 0; start < receivers.length; start += perRecord) {
      const words = Math.min(perRecord, receivers.length - start);
      const at = this.record(Operation.Multicast, words >> 1, 0, data.length, words << 2);
      this.openBytes.set(data, at);
      let word = (at + padded) >> 2;
      for (let i = 0; i < words; i++) this.openWords[word++] = receivers[start + i]!;
    }
  }

  /** A record without a payload. */
  command(operation: number, slot = 0, generation = 0, argument = 0): void {
    this.record(operation | (argument << 8), slot, generation, 0, 0);
  }

  /** `ms` 0: never. */
  setIdleTimeout(slot: number, generation: number, ms: number): void {
    const at = this.record(Operation.SetIdleTimeout, slot, generation, 8, 0);
    this.openView.setFloat64(at, ms, LITTLE_ENDIAN);
  }

  /** `ms` without a byte received, after which the loop asks whether it may close; `reason`: a number of one. */
  leave(slot: number, generation: number, ms: number, reason: number): void {
    const at = this.record(Operation.Leave | (reason << 8), slot, generation, 8, 0);
    this.openView.setFloat64(at, ms, LITTLE_ENDIAN);
  }

  startTimer(id: number, delay: number, interval: number): void {
    const at = this.record(Operation.TimerStart, id, 0, 16, 0);
    this.openView.setFloat64(at, delay, LITTLE_ENDIAN);
    this.openView.setFloat64(at + 8, interval, LITTLE_ENDIAN);
  }

  /**
   * Connects to a numeric address, or with port -1 to the Unix socket at that path: {@link MAX_ADDRESS_LENGTH} bytes at
   * most. `timeout` in ms; 0: none.
   */
  dial(token: number, timeout: number, port: number, address: string, servername = ''): void {
    const length = Buffer.byteLength(address + servername);
    const nameLength = Buffer.byteLength(servername);
    const at = this.record(Operation.Dial | (nameLength << 8), token, 0, 12 + length, 0);
    this.openView.setFloat64(at, timeout, LITTLE_ENDIAN);
    this.openView.setInt32(at + 8, port, LITTLE_ENDIAN);
    this.openBytes.write(address + servername, at + 12, length, 'utf8');
  }

  private sendWrapped(
    slot: number,
    generation: number,
    envelope: FrameEnvelope,
    data: Uint8Array | string,
    flags: number,
  ): number {
    const content = Buffer.byteLength(data);
    if (content > this.longestFrame || content > envelope.maxContent) return -content;
    if (content < envelope.minContent) return 0;
    const frame = envelope.wrap(data);
    this.send(slot, generation, frame, flags);
    return frame.length;
  }

  private writeFrameHeader(units: number, at: number): number {
    const { openBytes } = this;
    let end = at + 1;
    for (let rest = units; rest >= 10; rest = Math.trunc(rest / 10)) end++;
    let rest = units;
    for (let digit = end - 1; digit >= at; digit--) {
      const next = Math.trunc(rest / 10);
      openBytes[digit] = ZERO + rest - next * 10;
      rest = next;
    }
    openBytes[end] = HASH;
    return end + 1;
  }

  /** Writes a string as UTF-8; short ASCII without a native call. Returns where it ends. */
  private writePiece(text: string, at: number): number {
    const { length } = text;
    const { openBytes } = this;
    if (length <= MAX_LOOPED_PIECE) {
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        openBytes[at + index] = code;
      }
      if (index === length) return at + length;
    }
    return at + writeText(openBytes, text, at, 3 * length);
  }

  /** Where the payload of a send of `most` bytes or less goes: behind the last one, if that is the same connection's. */
  private reserveSend(slot: number, generation: number, most: number): number {
    if (
      slot === this.lastSlot &&
      generation === this.lastGeneration &&
      this.control[CONTROL_OPEN_SLAB + this.loop] === this.index &&
      this.openWords[0] === this.lastEnd &&
      this.lastPayloadEnd + most <= SLAB_SIZE
    ) {
      return this.lastPayloadEnd;
    }
    this.lastSlot = -1;
    return this.room(RECORD_HEADER + ((most + 3) & ~3)) + RECORD_HEADER;
  }

  private commitSend(slot: number, generation: number, at: number, length: number, flags: number): void {
    if (this.lastSlot === -1) {
      this.lastRecord = at - RECORD_HEADER;
      this.writeRecord(this.lastRecord, Operation.Send | (flags << 8), slot, generation, length);
      this.lastSlot = slot;
      this.lastGeneration = generation;
    } else {
      // One record, and so one piece of memory, for consecutive replies to one connection.
      const word = this.lastRecord >> 2;
      this.openWords[word]! |= flags << 8;
      this.openWords[word + 3]! += length;
    }
    this.lastPayloadEnd = at + length;
    this.lastEnd = (this.lastPayloadEnd + 3) & ~3;
    this.openWords[0] = this.lastEnd;
  }

  /** Writes a record's header and returns where its payload goes. `extra`: bytes behind the padded payload. */
  private record(first: number, slot: number, generation: number, length: number, extra: number): number {
    const size = RECORD_HEADER + ((length + 3) & ~3) + extra;
    const used = this.room(size);
    this.writeRecord(used, first, slot, generation, length);
    this.openWords[0] = used + size;
    this.lastSlot = -1;
    return used + RECORD_HEADER;
  }

  private writeRecord(at: number, first: number, slot: number, generation: number, length: number): void {
    if (at === SLAB_HEADER && this.control[CONTROL_IN_BATCH] === 0) this.scheduleFlush();
    const words = this.openWords;
    const word = at >> 2;
    words[word] = first;
    words[word + 1] = slot;
    words[word + 2] = generation;
    words[word + 3] = length;
  }

  /**
   * Where the next `size` bytes of the open slab begin; a slab that lacks them is handed over.
   *
   * @throws RangeError for more than any slab has: callers refuse such things before
   */
  private room(size: number): number {
    const used = this.open();
    if (used + size <= SLAB_SIZE) return used;
    if (size > SLAB_SIZE - SLAB_HEADER) throw new RangeError(`A record of ${size} bytes fits no slab`);
    this.reactor.publish(this.loop);
    return this.open();
  }

  /** Turns to the slab that is open now and returns the bytes in use. */
  private open(): number {
    const index = this.control[CONTROL_OPEN_SLAB + this.loop]!;
    if (index !== this.index) {
      this.index = index;
      this.openWords = this.words[index]!;
      this.openBytes = this.bytes[index]!;
      this.openView = this.views[index]!;
    }
    return this.openWords[0]!;
  }
}
