import type { FrameEnvelope } from '../frame-envelope.js';
import { type FramePiece, type LoopPort, Operation } from '../loop-port.js';

/** One thing to be done, in the words of {@link LoopPort}. */
export type OutboxRecord =
  | {
      readonly kind: 'send';
      readonly slot: number;
      readonly generation: number;
      readonly data: Buffer | string;
      /** Of the data. */
      readonly bytes: number;
      readonly flags: number;
    }
  | { readonly kind: 'multicast'; readonly data: Buffer; readonly receivers: readonly number[] }
  | {
      readonly kind: 'command';
      readonly operation: number;
      readonly slot: number;
      readonly generation: number;
      readonly argument: number;
      /** Milliseconds, where the operation has some. */
      readonly ms: number;
    }
  | { readonly kind: 'timer'; readonly id: number; readonly delay: number; readonly interval: number }
  | {
      readonly kind: 'dial';
      readonly token: number;
      readonly timeout: number;
      readonly port: number;
      readonly address: string;
      readonly servername: string;
    };

/** Collects what a turn wants done, so that all it sends to a connection leaves in one write. */
export class Outbox implements LoopPort {
  private records: OutboxRecord[] = [];

  constructor(
    private readonly longestFrame: number,
    private readonly scheduleFlush: () => void,
  ) {}

  send(slot: number, generation: number, data: Uint8Array, flags: number): void {
    this.add({ kind: 'send', slot, generation, data: Buffer.from(data), bytes: data.length, flags });
  }

  sendText(slot: number, generation: number, text: string, length: number, flags: number): void {
    // Half of a character must not become one with the half that the next text begins with.
    const data = isHighSurrogate(text.charCodeAt(text.length - 1)) ? Buffer.from(text) : text;
    this.add({ kind: 'send', slot, generation, data, bytes: length, flags });
  }

  sendFrame(slot: number, generation: number, pieces: readonly FramePiece[], flags: number): number {
    const text = pieces.join('');
    const header = `${text.length}#`;
    const bytes = Buffer.byteLength(text);
    if (bytes > this.longestFrame) return -bytes;
    this.add({ kind: 'send', slot, generation, data: header + text, bytes: header.length + bytes, flags });
    return header.length + bytes;
  }

  sendEnclosed(
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
    this.add({ kind: 'send', slot, generation, data: frame, bytes: frame.length, flags });
    return frame.length;
  }

  multicast(data: Uint8Array, receivers: readonly number[]): void {
    if (receivers.length > 0) this.add({ kind: 'multicast', data: Buffer.from(data), receivers });
  }

  command(operation: number, slot = 0, generation = 0, argument = 0, ms = 0): void {
    this.add({ kind: 'command', operation, slot, generation, argument, ms });
  }

  setIdleTimeout(slot: number, generation: number, ms: number): void {
    this.command(Operation.SetIdleTimeout, slot, generation, 0, ms);
  }

  leave(slot: number, generation: number, ms: number, reason: number): void {
    this.command(Operation.Leave, slot, generation, reason, ms);
  }

  startTimer(id: number, delay: number, interval: number): void {
    this.add({ kind: 'timer', id, delay, interval });
  }

  dial(token: number, timeout: number, port: number, address: string, servername = ''): void {
    this.add({ kind: 'dial', token, timeout, port, address, servername });
  }

  /** What was collected; it is the caller's now. */
  take(): readonly OutboxRecord[] {
    const { records } = this;
    this.records = [];
    return records;
  }

  private add(record: OutboxRecord): void {
    if (this.records.length === 0) this.scheduleFlush();
    this.records.push(record);
  }
}

/** Whether a UTF-16 code unit is the first half of a character. */
function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
