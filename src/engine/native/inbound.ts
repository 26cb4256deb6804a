import { markAsUntransferable } from 'node:worker_threads';
import type { NativeReactor } from './binding.js';
import { FreshScope, inFreshScope } from '../fresh-scope.js';
import type { Delivery, InboundListener, OpeningProxy } from '../inbound-listener.js';
import { DESCRIPTOR_WORDS, EventKind, INBOUND_DATA, SLAB_HEADER } from './layout.js';
import type { Pace } from '../pace.js';
import type { OpeningTls } from '../engine-tls.js';
import { securedOf } from './secured.js';
import { proxiedOf } from './proxied.js';
import { REFUSALS } from '../refusals.js';

/**
 * A Buffer over memory of ours. Every promise a message passes through on its way to a handler and back asks it for a
 * `then`; answered here, that does not cost a walk up four prototypes.
 */
class Chunk extends Uint8Array<ArrayBuffer> {}
Object.setPrototypeOf(Chunk.prototype, Buffer.prototype as object);
Object.defineProperties(Chunk.prototype, { constructor: { value: Buffer }, then: { value: undefined } });

/** A batch up to this is copied in one piece. */
const MAX_BATCH_COPY = 32 * 1024;
const POOL_SIZE = 64 * 1024;
/** Messages of a larger batch: above this each has memory of its own, so that keeping one keeps no other. */
const MAX_POOLED_MESSAGE = 16 * 1024;

/**
 * Reads the slabs of one loop. What a handler keeps must not change, so data is by default copied out of the slab: one copy for a
 * whole batch of small messages, into memory they share, one for each message of a larger batch.
 */
export class Inbound {
  private readonly words: readonly Int32Array[];
  private readonly bytes: readonly Buffer[];
  private pool = Buffer.allocUnsafeSlow(POOL_SIZE);
  private poolMemory = this.pool.buffer;
  private poolUsed = 0;
  /** Of the connection that opens next. */
  private secured: OpeningTls | undefined;
  private proxied: OpeningProxy | undefined;

  constructor(
    private readonly reactor: NativeReactor,
    private readonly loop: number,
    slabs: readonly ArrayBuffer[],
    private readonly listener: InboundListener,
    private readonly delivery: Delivery,
    private readonly pace: Pace,
    /** Whether it is for `pace` to say how many messages come at a time. */
    private readonly pacesMessages: boolean,
  ) {
    this.words = slabs.map((slab) => new Int32Array(slab));
    this.bytes = slabs.map((slab) => Buffer.from(slab));
    if (delivery === 'borrowed') for (const slab of slabs) markAsUntransferable(slab);
  }

  /** Reads descriptors from `from` on and before `to`, as many as there is time for. Returns where it stopped. */
  read(slab: number, from: number, to: number): number {
    const words = this.words[slab]!;
    const bytes = this.bytes[slab]!;
    const first = (SLAB_HEADER >> 2) + from * DESCRIPTOR_WORDS;
    const end = (SLAB_HEADER >> 2) + to * DESCRIPTOR_WORDS;
    const stop =
      this.delivery === 'text'
        ? this.readTexts(words, bytes, first, end)
        : this.readMessages(words, bytes, first, end);
    const brought = (stop - first) / DESCRIPTOR_WORDS;
    this.pace.end(brought);
    return from + brought;
  }

  private readMessages(words: Int32Array, bytes: Buffer, first: number, end: number): number {
    const dataStart = this.dataStart(words, EventKind.Message, first, end);
    const dataEnd = this.dataEnd(words, EventKind.Message, first, end);
    let shift = 0;
    const borrowed = this.delivery === 'borrowed';
    const shared = !borrowed && dataEnd - dataStart <= MAX_BATCH_COPY;
    if (shared && dataEnd > dataStart) {
      const start = this.take(dataEnd - dataStart);
      bytes.copy(this.pool, start, dataStart, dataEnd);
      shift = start - dataStart;
    }
    const { listener } = this;
    for (let word = first; word < end; word += DESCRIPTOR_WORDS) {
      try {
        if (words[word] === EventKind.Message) {
          const offset = words[word + 3]!;
          const length = words[word + 4]!;
          const data = shared
            ? this.chunk(offset + shift, length)
            : borrowed
              ? chunkOf(bytes.buffer as ArrayBuffer, offset, length)
              : this.copy(bytes, offset, length);
          new FreshScope().runInAsyncScope(
            listener.onMessage,
            listener,
            words[word + 1]!,
            words[word + 2]!,
            data,
          );
        } else {
          this.signal(words, bytes, word);
        }
      } catch (error) {
        this.uncaught(error);
      }
      const isPaced = this.pacesMessages || words[word] !== EventKind.Message;
      if (isPaced && this.pace.isOver((word - first) / DESCRIPTOR_WORDS + 1)) return word + DESCRIPTOR_WORDS;
    }
    return end;
  }

  /** Text needs no copy: a string is one. ASCII frames of a batch are pieces of one string, made by one call. */
  private readTexts(words: Int32Array, bytes: Buffer, first: number, end: number): number {
    const { listener } = this;
    const batchStart = this.dataStart(words, EventKind.Text, first, end);
    const dataEnd = this.dataEnd(words, EventKind.Text, first, end);
    const batch =
      end - first > DESCRIPTOR_WORDS && dataEnd - batchStart <= MAX_BATCH_COPY
        ? bytes.toString('latin1', batchStart, dataEnd)
        : undefined;
    for (let word = first; word < end; word += DESCRIPTOR_WORDS) {
      try {
        if (words[word] === EventKind.Text) {
          const start = words[word + 3]!;
          const length = words[word + 4]!;
          const stop = start + length;
          const b = words[word + 6]!;
          const text =
            (b & 1) === 0
              ? bytes.toString('utf8', start, stop)
              : batch === undefined
                ? bytes.toString('latin1', start, stop)
                : batch.substring(start - batchStart, stop - batchStart);
          const route = words[word + 5]!;
          const dataStart = words[word + 7]!;
          new FreshScope().runInAsyncScope(
            listener.onText,
            listener,
            words[word + 1]!,
            words[word + 2]!,
            text,
            length,
            route,
            dataStart,
            b >> 1,
          );
        } else {
          this.signal(words, bytes, word);
        }
      } catch (error) {
        this.uncaught(error);
      }
      const isPaced = this.pacesMessages || words[word] !== EventKind.Text;
      if (isPaced && this.pace.isOver((word - first) / DESCRIPTOR_WORDS + 1)) return word + DESCRIPTOR_WORDS;
    }
    return end;
  }

  // Not where they are called: in a loop, closures would cost every message.
  private signal(words: Int32Array, bytes: Buffer, word: number): void {
    inFreshScope(() => this.tell(words, bytes, word));
  }

  private takeProxied(): OpeningProxy | undefined {
    const { proxied } = this;
    this.proxied = undefined;
    return proxied;
  }

  private uncaught(error: unknown): void {
    inFreshScope(() => this.listener.onUncaught(error));
  }

  private tell(words: Int32Array, bytes: Buffer, word: number): void {
    const { listener } = this;
    if (listener.abandoned) return;
    const slot = words[word + 1]!;
    const generation = words[word + 2]!;
    const a = words[word + 5]!;
    const b = words[word + 6]!;
    switch (words[word]) {
      case EventKind.Secured:
        this.secured = securedOf(bytes.subarray(words[word + 3], words[word + 3]! + words[word + 4]!), a, b);
        break;
      case EventKind.Open: {
        const offset = words[word + 3]!;
        const middle = offset + (b & 0xffff);
        const c = words[word + 7]!;
        listener.onOpen({
          slot,
          generation,
          remoteHost: bytes.toString('latin1', offset, middle),
          remotePort: a & 0xffff,
          localHost: bytes.toString('latin1', middle, offset + words[word + 4]!),
          localPort: a >>> 16,
          family: c & 0xff,
          dial: c >>> 8,
          listener: b >>> 16,
          tls: this.takeSecured(),
          proxy: this.takeProxied(),
        });
        break;
      }
      case EventKind.Large: {
        const data = this.reactor.takeLarge(this.loop, a);
        if (words[word + 7] === 1)
          listener.onText(slot, generation, textOf(data, b === 1), data.length, 0, 0, 0);
        else listener.onMessage(slot, generation, data);
        break;
      }
      // These two where some connections of the loop are framed unlike most.
      case EventKind.Message:
        listener.onMessage(slot, generation, this.copy(bytes, words[word + 3]!, words[word + 4]!));
        break;
      case EventKind.Text: {
        const data = bytes.subarray(words[word + 3], words[word + 3]! + words[word + 4]!);
        const dataStart = words[word + 7]!;
        listener.onText(slot, generation, textOf(data, (b & 1) === 1), data.length, a, dataStart, b >> 1);
        break;
      }
      case EventKind.End:
        listener.onEnd(slot, generation, a >>> 0);
        break;
      case EventKind.Drain:
        listener.onDrain(slot, generation);
        break;
      case EventKind.Flushed:
        listener.onFlushed(slot, generation, (b >>> 0) * 2 ** 32 + (a >>> 0));
        break;
      case EventKind.Idle:
        listener.onIdle(slot, generation);
        break;
      case EventKind.Close:
        listener.onClose(slot, generation, a, b, words[word + 7]! >>> 0);
        break;
      case EventKind.DialFailed:
        listener.onDialFailed(slot, a);
        break;
      case EventKind.Timer:
        listener.onTimer(slot, a);
        break;
      case EventKind.Quiesced:
        listener.onQuiesced();
        break;
      case EventKind.Failure:
        listener.onFailure(a, b);
        break;
      case EventKind.Proxied:
        this.proxied = proxiedOf(bytes.subarray(words[word + 3], words[word + 3]! + words[word + 4]!));
        break;
      case EventKind.Refused: {
        const offset = words[word + 3]!;
        const middle = offset + words[word + 7]!;
        listener.onRefused({
          cause: REFUSALS[a]!,
          count: b >>> 0,
          remoteHost: bytes.toString('latin1', offset, middle),
          detail: bytes.toString('utf8', middle, offset + words[word + 4]!),
        });
        break;
      }
    }
  }

  private takeSecured(): OpeningTls | undefined {
    const { secured } = this;
    this.secured = undefined;
    return secured;
  }

  /** Where the data of the first event of that kind begins. */
  private dataStart(words: Int32Array, kind: number, first: number, end: number): number {
    for (let word = first; word < end; word += DESCRIPTOR_WORDS) {
      if (words[word] === kind) return words[word + 3]!;
    }
    return INBOUND_DATA;
  }

  /** Where that of the last one ends; data lies in the order of the descriptors. */
  private dataEnd(words: Int32Array, kind: number, first: number, end: number): number {
    for (let word = end - DESCRIPTOR_WORDS; word >= first; word -= DESCRIPTOR_WORDS) {
      if (words[word] === kind) return words[word + 3]! + words[word + 4]!;
    }
    return INBOUND_DATA;
  }

  private copy(bytes: Buffer, offset: number, length: number): Buffer {
    if (length > MAX_POOLED_MESSAGE) {
      const data = Buffer.allocUnsafeSlow(length);
      bytes.copy(data, 0, offset, offset + length);
      return data;
    }
    const start = this.take(length);
    bytes.copy(this.pool, start, offset, offset + length);
    return this.chunk(start, length);
  }

  private chunk(start: number, length: number): Buffer {
    return chunkOf(this.poolMemory, start, length);
  }

  private take(length: number): number {
    if (this.poolUsed + length > POOL_SIZE) {
      this.pool = Buffer.allocUnsafeSlow(POOL_SIZE);
      this.poolMemory = this.pool.buffer;
      this.poolUsed = 0;
    }
    const start = this.poolUsed;
    this.poolUsed = (start + length + 7) & ~7; // aligned, as typed arrays over a message need it
    return start;
  }
}

function chunkOf(memory: ArrayBuffer, start: number, length: number): Buffer {
  return new Chunk(memory, start, length) as Uint8Array as Buffer;
}

function textOf(data: Buffer, ascii: boolean): string {
  return data.toString(ascii ? 'latin1' : 'utf8');
}
