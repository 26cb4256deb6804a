/**
 * What a framer has found: a frame, as text with the bytes that it took on the wire, or as bytes; or why there is none: more is
 * to come, what came is no frame, or it is longer than may be.
 */
export type FramerResult =
  | { readonly text: string; readonly bytes: number }
  | { readonly data: Buffer }
  | 'incomplete'
  | 'invalid'
  | { readonly tooLong: number };

/** Cuts what comes on one connection into frames, as the framers of native/protocol do. */
export interface Framer {
  /** Bytes, or code units, of a frame that has begun; 0: none has. */
  readonly kept: number;
  /** More has come. */
  push(chunk: Buffer): void;
  /** The next frame. */
  next(): FramerResult;
  /** Nothing of what was kept is wanted. */
  clear(): void;
}
