/**
 * One frame, as text or as bytes, or why there is none: more is to come, what came is no frame, or it is one that is longer than
 * may be, of so many bytes at least, or none, by the byte that it would begin with.
 */
export type Frame =
  | { readonly text: string; readonly bytes: number }
  | { readonly data: Buffer }
  | { readonly tooLong: number }
  | { readonly noBeginning: number }
  | 'incomplete'
  | 'invalid';

/** Cuts what comes on one connection into frames, as the framer of its name in native/protocol does. Scans no byte twice. */
export interface Framer {
  /** How much it keeps of a frame that has begun, in bytes or the code units that came; 0: none has. */
  readonly kept: number;
  /** Takes what has come; only after {@link Framer.next} has said `incomplete`. */
  push(chunk: Buffer): void;
  /** The next frame of what was pushed. Nothing more is asked after one that is invalid or too long. */
  next(): Frame;
  /** Nothing of what is kept is wanted. */
  clear(): void;
}

/** A frame of what it holds, which is UTF-8 where `text`. */
export function frameOf(data: Buffer, text: boolean): Frame {
  return text ? { text: data.toString(), bytes: data.length } : { data };
}
