import { StringDecoder } from 'node:string_decoder';

/** What may be buffered of one unfinished frame, in UTF-16 code units. */
const maxFrameLength = 4 * 1024 * 1024;

/**
 * Takes `<length>#<json>` apart, Nest's wire format: the length counts UTF-16 code units. Each chunk becomes a string
 * once; frames are slices of it, and only a frame that is not complete is ever copied.
 */
export class JsonFramer {
  #decoder = new StringDecoder('utf8');
  #split = false; // the decoder may hold the first bytes of a character
  #rest = '';
  #onFrame;

  /** @param {(json: string) => void} onFrame */
  constructor(onFrame) {
    this.#onFrame = onFrame;
  }

  /**
   * Throws at a length that is none or too large.
   *
   * @param {Buffer} chunk
   */
  push(chunk) {
    let text = this.#decode(chunk);
    if (this.#rest !== '') text = this.#rest + text;
    let start = 0;
    for (;;) {
      const mark = text.indexOf('#', start);
      if (mark < 0) break;
      const length = Number(text.slice(start, mark));
      if (!(length >= 0 && length <= maxFrameLength)) throw new Error('Not the length of a frame');
      const end = mark + 1 + length;
      if (end > text.length) break;
      this.#onFrame(text.slice(mark + 1, end));
      start = end;
    }
    this.#rest = start === text.length ? '' : text.slice(start);
  }

  /** Text that ends in ASCII ends between characters; only of other text does the decoder hold the end back. */
  #decode(chunk) {
    const whole = chunk[chunk.length - 1] < 0x80;
    if (whole && !this.#split) return chunk.toString();
    this.#split = !whole;
    return this.#decoder.write(chunk);
  }
}
