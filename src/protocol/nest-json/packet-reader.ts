import { PACKET } from './grammar.js';
import { RESERVED_PREFIX } from './vocabulary.js';

/** A packet as Nest's clients send it. Nothing of it is to be trusted. */
export interface IncomingPacket {
  readonly pattern?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly metadata?: unknown;
}

const PATTERN_START = PACKET.pattern.length;
const DATA_KEY = PACKET.data.length;
const ID_KEY = PACKET.id.length;
const PACKET_END = PACKET.idEnd.length + PACKET.end.length;

/**
 * The pattern of a request whose parts the reactor has found, see `ReactorHandler.onText`. Throws what JSON.parse throws.
 */
export function scannedPattern(text: string, dataStart: number): unknown {
  return JSON.parse(text.substring(PATTERN_START, dataStart - DATA_KEY));
}

/** Its data. Throws where there is more between the two keys than one JSON value: then the whole text must be parsed. */
export function scannedData(text: string, dataStart: number, idLength: number): unknown {
  return JSON.parse(text.substring(dataStart, text.length - PACKET_END - idLength - ID_KEY));
}

/** Its id, text that needs no escaping. */
export function scannedId(text: string, idLength: number): string {
  const start = text.length - PACKET_END - idLength;
  return text.substring(start, start + idLength);
}

/** JSON that is no packet is an event without a name, as Nest takes it. */
export function toPacket(value: unknown): IncomingPacket {
  return typeof value === 'object' && value !== null ? value : {};
}

/** Whether a packet's pattern may be one of the protocol itself. No needs no parsing. */
export function mayBeReserved(frame: string | Buffer): boolean {
  return frame.includes(RESERVED_PREFIX);
}

/** The text a packet's pattern is looked up by, as Nest has it. */
export function patternText(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  try {
    return JSON.stringify(pattern) ?? 'undefined';
  } catch {
    return '[UNSERIALIZABLE_PATTERN]';
  }
}

/** How packets may write these patterns, whose normalised text Nest has: a string, or an object by the order of its keys. */
export function patternTexts(patterns: Iterable<string>): string[] {
  return [...patterns].flatMap((pattern) => {
    const text = JSON.stringify(pattern);
    return pattern.startsWith('{') ? [text, pattern] : [text];
  });
}
