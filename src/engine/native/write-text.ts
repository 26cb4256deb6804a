/** Of Node's Buffers, beside `write()`: the same without a look at the arguments, which takes as long as short text does. */
interface WithoutChecks {
  readonly utf8Write?: (this: Buffer, text: string, at: number, most: number) => number;
}

const { utf8Write } = Buffer.prototype as WithoutChecks;

/**
 * Writes text as UTF-8, up to `most` bytes of it and only whole characters. There must be room for them.
 *
 * @returns how many bytes were written
 */
export const writeText: (bytes: Buffer, text: string, at: number, most: number) => number =
  utf8Write === undefined
    ? (bytes, text, at, most) => bytes.write(text, at, most, 'utf8')
    : (bytes, text, at, most) => utf8Write.call(bytes, text, at, most);
