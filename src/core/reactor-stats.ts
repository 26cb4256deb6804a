import { type GevRefusal, REFUSALS } from '../engine/refusals.js';

/** Counters of a {@link Reactor} since listen. */
export interface ReactorStats {
  readonly accepted: number;
  /** Sockets that never became open connections. */
  readonly refused: number;
  /** Of these, how many for which cause. */
  readonly refusals: Readonly<Record<GevRefusal, number>>;
  /** Calls of {@link GevConnection.trySend} that returned false. */
  readonly refusedSends: number;
  /** Answers that no request of {@link GevConnection.request} waited for any more, or ever did. */
  readonly droppedAnswers: number;
  /** Connections closed as incomplete frames took more than `maxPartialBytes`. */
  readonly overPartialBytes: number;
  /** Connections closed as more than `maxTotalSendBuffer` waited for all peers. */
  readonly overTotalSendBuffer: number;
  readonly open: number;
  readonly loops: readonly { readonly connections: number }[];
}

/** Of one that does not listen. */
export const NO_STATS: ReactorStats = {
  accepted: 0,
  refused: 0,
  refusals: refusalsOf([]),
  refusedSends: 0,
  droppedAnswers: 0,
  overPartialBytes: 0,
  overTotalSendBuffer: 0,
  open: 0,
  loops: [],
};

export function refusalsOf(counts: readonly number[]): Readonly<Record<GevRefusal, number>> {
  return Object.fromEntries(REFUSALS.map((cause, index) => [cause, counts[index] ?? 0])) as Record<
    GevRefusal,
    number
  >;
}
