import type { GevSerializer } from '../../core/options.js';
import { promiseOf } from '../../core/values.js';
import type { GevMetadata } from '../gev.record.js';

/** Patterns whose JSON is kept: an application has few, unless it makes them up. */
const MAX_PATTERNS = 1000;

/** The JSON of a packet, in pieces that nobody needs to join. */
export type PacketText = readonly string[];

/**
 * Writes packets as JSON, with the members in the order that Nest's client has them. Where there is no serializer to be
 * asked, no packet is made: its text is put together from its parts.
 */
export class PacketWriter {
  /** By a pattern: what a packet with it begins with. */
  private readonly beginnings = new Map<string, string>();

  /** @param serializer the user's */
  constructor(private readonly serializer: GevSerializer | undefined) {}

  /**
   * Whatever the serializer throws or rejects with, and JSON's objections, come through.
   *
   * @param id digits, so that they need no escapes; undefined for an event
   */
  write(
    pattern: unknown,
    data: unknown,
    id: string | undefined,
    metadata: GevMetadata | undefined,
  ): PacketText | PromiseLike<PacketText> {
    if (this.serializer === undefined) return this.compose(pattern, data, id, metadata);
    const packet = { pattern, data, ...(id !== undefined && { id }), ...(metadata && { metadata }) };
    const serialized = this.serializer.serialize(packet);
    return promiseOf(serialized)?.then(toJson) ?? toJson(serialized);
  }

  private compose(
    pattern: unknown,
    data: unknown,
    id: string | undefined,
    metadata: GevMetadata | undefined,
  ): PacketText {
    const beginning = typeof pattern === 'string' ? this.beginning(pattern) : begin(pattern);
    const payload = JSON.stringify(data) as string | undefined;
    // JSON leaves out members that it has no text for, such as functions.
    if (beginning === undefined || payload === undefined) {
      return [JSON.stringify({ pattern, data, id, metadata })];
    }
    if (metadata !== undefined) {
      const named = id === undefined ? '' : `,"id":"${id}"`;
      return [beginning, payload, named, ',"metadata":', JSON.stringify(metadata), '}'];
    }
    return id === undefined ? [beginning, payload, '}'] : [beginning, payload, ',"id":"', id, '"}'];
  }

  private beginning(pattern: string): string {
    const known = this.beginnings.get(pattern);
    if (known !== undefined) return known;
    const beginning = begin(pattern)!;
    if (this.beginnings.size >= MAX_PATTERNS) this.beginnings.clear();
    this.beginnings.set(pattern, beginning);
    return beginning;
  }
}

function begin(pattern: unknown): string | undefined {
  const text = JSON.stringify(pattern) as string | undefined;
  return text === undefined ? undefined : `{"pattern":${text},"data":`;
}

function toJson(packet: unknown): PacketText {
  const text = JSON.stringify(packet) as string | undefined;
  if (text === undefined) throw new TypeError('The serializer returned nothing that JSON has a text for');
  return [text];
}
