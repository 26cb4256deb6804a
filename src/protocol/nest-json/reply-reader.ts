import { REPLY } from './grammar.js';
import { GO_AWAY_PATTERN } from './vocabulary.js';

/** A reply, as Nest's `IncomingResponse`, of which nothing is sure. */
export interface Reply {
  readonly id?: unknown;
  readonly err?: unknown;
  readonly response?: unknown;
  readonly isDisposed?: unknown;
  readonly status?: unknown;
}

const BEGINNING: string = REPLY.response;
const LAST = REPLY.last + REPLY.id;
const NOT_LAST: string = REPLY.id;
const QUOTE = 0x22;
const BRACE = 0x7d;
const ZERO = 0x30;
/** Ids are counted up from 1: those of more than 15 digits are not ours, and would not be exact numbers. */
const MAX_FACTOR = 1e15;

/**
 * Finds its way in a reply written as Nest's server and ours write it, `{"response":…,"isDisposed":true,"id":"7"}`, so
 * that only the response needs to be parsed. If what stands in the place of the response is one JSON value, then the
 * whole text is an object of just these members.
 */
export class ReplyReader {
  id = 0;
  /** No further reply to this request comes. */
  last = false;
  private response: unknown;

  /** False: it looks different, and must be parsed to know. */
  read(text: string): boolean {
    const end = this.locate(text);
    if (end === 0 || text.substring(0, BEGINNING.length) !== BEGINNING) return false;
    try {
      this.response = JSON.parse(text.substring(BEGINNING.length, end));
      return true;
    } catch {
      return false;
    }
  }

  /** The response last read, once: it is not to be kept in memory here. */
  take(): unknown {
    const { response } = this;
    this.response = undefined;
    return response;
  }

  /** Where the response ends; 0 when what follows it looks different. */
  private locate(text: string): number {
    let at = text.length - 2;
    if (text.charCodeAt(at) !== QUOTE || text.charCodeAt(at + 1) !== BRACE) return 0;
    let id = 0;
    let factor = 1;
    let digit = text.charCodeAt(--at) - ZERO;
    while (digit >= 0 && digit <= 9 && factor < MAX_FACTOR) {
      id += digit * factor;
      factor *= 10;
      digit = text.charCodeAt(--at) - ZERO;
    }
    // With a leading zero, or without a digit, it is another id.
    if (id * 10 < factor) return 0;
    this.id = id;
    const start = at + 1;
    this.last = text.substring(start - LAST.length, start) === LAST;
    if (this.last) return start - LAST.length;
    const end = start - NOT_LAST.length;
    return text.substring(end, start) === NOT_LAST ? end : 0;
  }
}

/** Whether a value is a reply, and nothing but that: Nest's deserializer, of either version, would return it as it is. */
export function isReply(value: unknown): value is Reply {
  if (typeof value !== 'object' || value === null) return false;
  for (const key in value) {
    if (!isReplyKey(key)) return false;
  }
  const { err, response, isDisposed } = value as Reply;
  return err !== undefined || response !== undefined || isDisposed !== undefined;
}

/** The number that an id stands for; 0, which is nobody's, when it is not written as we write ids. */
export function idNumber(id: unknown): number {
  const number = typeof id === 'string' ? Number(id) : 0;
  return String(number) === id ? number : 0;
}

/** Whether a packet asks for the connection to end. */
export function isGoAway(packet: unknown): boolean {
  if (typeof packet !== 'object' || packet === null) return false;
  const { pattern, id } = packet as { readonly pattern?: unknown; readonly id?: unknown };
  return pattern === GO_AWAY_PATTERN && id === undefined;
}

function isReplyKey(key: string): boolean {
  return key === 'response' || key === 'isDisposed' || key === 'id' || key === 'err' || key === 'status';
}
