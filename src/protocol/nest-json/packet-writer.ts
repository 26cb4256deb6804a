import { PACKET } from './grammar.js';

/** Patterns whose JSON is kept: an application has few, unless it makes them up. */
const MAX_PATTERNS = 1000;

/** The JSON of a packet, in pieces that nobody needs to join. */
export type PacketText = readonly string[];

/** What travels beside a packet's data. */
type Metadata = Readonly<Record<string, string>>;

/** Writes the packets of a client as JSON. No packet is made for that: its text is put together from its parts. */
export class PacketWriter {
  /** By a pattern: what a packet with it begins with. */
  private readonly beginnings = new Map<string, string>();

  /**
   * Throws what JSON and `toJSON` methods throw.
   *
   * @param id digits, so that they need no escapes; undefined for an event
   */
  write(pattern: unknown, data: unknown, id: string | undefined, metadata: Metadata | undefined): PacketText {
    const beginning = typeof pattern === 'string' ? this.beginning(pattern) : begin(pattern);
    const payload = JSON.stringify(data) as string | undefined;
    // JSON leaves out members that it has no text for, such as functions.
    if (beginning === undefined || payload === undefined) {
      return [JSON.stringify({ pattern, data, id, metadata })];
    }
    if (metadata !== undefined) {
      const named = id === undefined ? '' : PACKET.id + id + PACKET.idEnd;
      return [beginning, payload, named, PACKET.metadata, JSON.stringify(metadata), PACKET.end];
    }
    return id === undefined ? [beginning, payload, PACKET.end] : [beginning, payload, PACKET.id, id, END];
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

/** A packet as an object, for a serializer. */
export function packetOf(
  pattern: unknown,
  data: unknown,
  id: string | undefined,
  metadata: Metadata | undefined,
): Record<string, unknown> {
  return { pattern, data, ...(id !== undefined && { id }), ...(metadata && { metadata }) };
}

const END = PACKET.idEnd + PACKET.end;

function begin(pattern: unknown): string | undefined {
  const text = JSON.stringify(pattern) as string | undefined;
  return text === undefined ? undefined : PACKET.pattern + text + PACKET.data;
}
