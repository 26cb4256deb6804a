import type { EngineStats } from '../engine/engine.js';
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

/** What those of a reactor are that does not run. */
const NOTHING: EngineStats = { accepted: 0, refusals: [], connections: [] };

/** Those that a reactor keeps itself. Named here: what declarations import must be declared, and much of a reactor is not. */
type Counts = Pick<
  ReactorStats,
  'refusedSends' | 'droppedAnswers' | 'overPartialBytes' | 'overTotalSendBuffer'
> & {
  readonly open: Pick<ReadonlyMap<number, unknown>, 'size'>;
};

/** The counters of a reactor and of its engine, where it has one. */
export function statsOf(state: Counts, engine = NOTHING): ReactorStats {
  return {
    accepted: engine.accepted,
    refused: engine.refusals.reduce((sum, count) => sum + count, 0),
    refusals: refusalsOf(engine.refusals),
    refusedSends: state.refusedSends,
    droppedAnswers: state.droppedAnswers,
    overPartialBytes: state.overPartialBytes,
    overTotalSendBuffer: state.overTotalSendBuffer,
    open: state.open.size,
    loops: engine.connections.map((connections) => ({ connections })),
  };
}

function refusalsOf(counts: readonly number[]): Readonly<Record<GevRefusal, number>> {
  return Object.fromEntries(REFUSALS.map((cause, index) => [cause, counts[index] ?? 0])) as Record<
    GevRefusal,
    number
  >;
}

/** Of a reactor that does not run. */
export const NO_STATS = statsOf({
  refusedSends: 0,
  droppedAnswers: 0,
  overPartialBytes: 0,
  overTotalSendBuffer: 0,
  open: new Map(),
});
