import type { NativeReactor } from './binding.js';
import {
  CONTROL_IN_BATCH,
  CONTROL_OPEN_SLAB,
  Operation,
  RECORD_HEADER,
  SLAB_HEADER,
  SLAB_SIZE,
} from './layout.js';

/** Payloads above this go out in pieces, so that a large one needs no slab of its own. */
const MAX_PIECE = SLAB_SIZE / 2;
/** A broadcast's payload up to this is shared by many receivers in one record. */
export const MAX_SHARED_PAYLOAD = 64 * 1024;

/** Asks for a flush after all promise jobs and ticks of the current turn have run. */
export type FlushScheduler = () => void;

/**
 * Writes records for one loop into its open outbound slab: no native call for each, one hand-over a turn. Within a batch
 * the addon hands over by itself when the batch's promise jobs are done; outside, a flush is scheduled.
 */
export class Outbound {
  private readonly words: readonly Int32Array[];
  private readonly bytes: readonly Buffer[];
  private index = -1;
  private openWords!: Int32Array;
  private openBytes!: Buffer;
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
  ) {
    this.words = slabs.map((slab) => new Int32Array(slab));
    this.bytes = slabs.map((slab) => Buffer.from(slab));
  }

  /** Copies `data` for a connection. `flags`: bits of SendFlag. */
  send(slot: number, generation: number, data: Uint8Array, flags: number): void {
    const { length } = data;
    if (length <= MAX_PIECE) {
      const at = this.beginSend(slot, generation, length, flags);
      this.openBytes.set(data, at);
      return;
    }
    for (let start = 0; start < length; start += MAX_PIECE) {
      const end = Math.min(start + MAX_PIECE, length);
      const at = this.beginSend(slot, generation, end - start, end === length ? flags : 0);
      this.openBytes.set(data.subarray(start, end), at);
    }
  }

  /** As send(), of a string whose UTF-8 length is known. */
  sendText(slot: number, generation: number, text: string, length: number, flags: number): void {
    if (length > MAX_PIECE) {
      this.send(slot, generation, Buffer.from(text), flags);
      return;
    }
    const at = this.beginSend(slot, generation, length, flags);
    this.openBytes.write(text, at, length, 'utf8');
  }

  /** The same payload (MAX_SHARED_PAYLOAD at most) for several connections: slot and generation of each in turn. */
  multicast(data: Uint8Array, receivers: readonly number[]): void {
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

  startTimer(id: number, delay: number, interval: number): void {
    const at = this.record(Operation.TimerStart, id, 0, 16, 0);
    this.openBytes.writeDoubleLE(delay, at);
    this.openBytes.writeDoubleLE(interval, at + 8);
  }

  /** Connects to a numeric address, or with port -1 to the Unix socket at that path. `timeout` in ms; 0: none. */
  dial(token: number, timeout: number, port: number, address: string): void {
    const length = Buffer.byteLength(address);
    const at = this.record(Operation.Dial, token, 0, 12 + length, 0);
    this.openBytes.writeDoubleLE(timeout, at);
    this.openBytes.writeInt32LE(port, at + 8);
    this.openBytes.write(address, at + 12, length, 'utf8');
  }

  private beginSend(slot: number, generation: number, length: number, flags: number): number {
    const open = this.control[CONTROL_OPEN_SLAB + this.loop]!;
    if (
      slot === this.lastSlot &&
      generation === this.lastGeneration &&
      open === this.index &&
      this.openWords[0] === this.lastEnd &&
      this.lastPayloadEnd + length <= SLAB_SIZE
    ) {
      // One record, and so one piece of memory, for consecutive replies to one connection.
      const at = this.lastPayloadEnd;
      this.lastPayloadEnd = at + length;
      this.lastEnd = (this.lastPayloadEnd + 3) & ~3;
      const word = this.lastRecord >> 2;
      this.openWords[word]! |= flags << 8;
      this.openWords[word + 3]! += length;
      this.openWords[0] = this.lastEnd;
      return at;
    }
    const at = this.record(Operation.Send | (flags << 8), slot, generation, length, 0);
    this.lastRecord = at - RECORD_HEADER;
    this.lastSlot = slot;
    this.lastGeneration = generation;
    this.lastPayloadEnd = at + length;
    this.lastEnd = (at + length + 3) & ~3;
    return at;
  }

  /** Writes a record's header and returns where its payload goes. `extra`: bytes behind the padded payload. */
  private record(first: number, slot: number, generation: number, length: number, extra: number): number {
    const size = RECORD_HEADER + ((length + 3) & ~3) + extra;
    let used = this.open();
    if (used + size > SLAB_SIZE) {
      this.reactor.publish(this.loop);
      used = this.open();
    }
    if (used === SLAB_HEADER && this.control[CONTROL_IN_BATCH] === 0) this.scheduleFlush();
    const words = this.openWords;
    const word = used >> 2;
    words[word] = first;
    words[word + 1] = slot;
    words[word + 2] = generation;
    words[word + 3] = length;
    words[0] = used + size;
    this.lastSlot = -1;
    return used + RECORD_HEADER;
  }

  /** Turns to the slab that is open now and returns the bytes in use. */
  private open(): number {
    const index = this.control[CONTROL_OPEN_SLAB + this.loop]!;
    if (index !== this.index) {
      this.index = index;
      this.openWords = this.words[index]!;
      this.openBytes = this.bytes[index]!;
    }
    return this.openWords[0]!;
  }
}
