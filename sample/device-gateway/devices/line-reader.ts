const NEWLINE = 0x0a;

/** What a device sends is longer than any line it may send. */
export class LineTooLongError extends Error {}

/** Makes lines of the chunks of a stream, which end anywhere. */
export class LineReader {
  private rest: Buffer = Buffer.alloc(0);

  /** @param longest bytes of a line: what is kept of a peer that never sends an end of line */
  constructor(private readonly longest: number) {}

  /**
   * The lines that are complete with this chunk, without their ends.
   *
   * @throws LineTooLongError
   */
  read(chunk: Buffer): string[] {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      if (end - start > this.longest) throw new LineTooLongError();
      lines.push(bytes.toString('utf8', start, end).replace(/\r$/, ''));
      start = end + 1;
    }
    if (bytes.length - start > this.longest) throw new LineTooLongError();
    // A copy: a view would keep all of the memory that the chunk lies in.
    this.rest = Buffer.from(bytes.subarray(start));
    return lines;
  }
}
