const BEGINNING = '{"response":';
const LAST = ',"isDisposed":true,"id":"';
const NOT_LAST = ',"id":"';
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
export class PlainReply {
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
