import { totalmem } from 'node:os';

const MiB = 1024 * 1024;
const MAX_PARTIAL_BYTES = 128 * MiB;
const MAX_TOTAL_SEND_BUFFER = 1024 * MiB;

/** What incomplete frames may take on one loop: room for one of the longest at least. */
export function defaultMaxPartialBytes(maxFrameLength: number): number {
  return Math.max(MAX_PARTIAL_BYTES, maxFrameLength);
}

/** What may wait for all peers together. */
export function defaultMaxTotalSendBuffer(): number {
  return Math.min(MAX_TOTAL_SEND_BUFFER, Math.floor(availableMemory() / 4));
}

/** Bytes that this process may use: of its container where it has a limit, else of the machine. */
function availableMemory(): number {
  const total = totalmem();
  const constrained = process.constrainedMemory() ?? 0; // 0, nothing or more than there is: no limit
  return constrained > 0 ? Math.min(constrained, total) : total;
}
