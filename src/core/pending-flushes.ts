import type { SendCallback } from './connection.js';
import type { GevError } from './errors.js';

interface PendingFlush {
  /** Bytes of the connection that are written when it is. */
  readonly target: number;
  readonly settle: SendCallback;
}

/** Who waits for the kernel to take what they sent, in the order of their sends. */
export class PendingFlushes {
  private pending: PendingFlush[] = [];

  add(target: number, settle: SendCallback): void {
    this.pending.push({ target, settle });
  }

  /** So many bytes are written. */
  settle(written: number): void {
    const { pending } = this;
    let settled = 0;
    while (settled < pending.length && pending[settled]!.target <= written) settled++;
    for (const flush of pending.splice(0, settled)) flush.settle();
  }

  /** Nothing more will be written. */
  fail(error: () => GevError): void {
    for (const { settle } of this.pending.splice(0)) settle(error());
  }
}
