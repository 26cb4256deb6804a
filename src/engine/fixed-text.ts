/** Bytes that are written at a time. */
const STRIDE = 8;

/**
 * ASCII text that many frames have in common. It is kept as doubles over its bytes: eight characters are written by one
 * store, where a string takes a look at each.
 */
export class FixedText {
  readonly length: number;
  private readonly doubles: Float64Array;

  constructor(private readonly text: string) {
    this.length = text.length;
    const bytes = Buffer.alloc(Math.ceil(text.length / STRIDE) * STRIDE);
    if (bytes.write(text, 'utf8') !== text.length)
      throw new RangeError(`${JSON.stringify(text)} is not ASCII`);
    // ASCII has no eighth bit, and a double with that bit clear in its seventh byte is no NaN: its bits are kept.
    this.doubles = Float64Array.from({ length: bytes.length / STRIDE }, (_, i) =>
      bytes.readDoubleLE(STRIDE * i),
    );
  }

  /** Writes it, and up to {@link FIXED_TEXT_EXCESS} bytes behind it. Returns where it ends. */
  write(view: DataView, at: number): number {
    const { doubles } = this;
    for (let i = 0; i < doubles.length; i++) view.setFloat64(at + STRIDE * i, doubles[i]!, true);
    return at + this.length;
  }

  toString(): string {
    return this.text;
  }
}

/** Bytes behind a {@link FixedText} that writing it may overwrite. */
export const FIXED_TEXT_EXCESS = STRIDE - 1;
