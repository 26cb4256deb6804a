import type { GevConnection } from './connection.js';
import type { Identities } from './identities.js';
import type { ResolvedReactorOptions } from './options.js';
import type { RequestDeadlines } from './requests.js';
import type { LoopPort } from '../engine/loop-port.js';

/** For messages of errors; in bytes. */
export type ReactorLimits = Pick<
  ResolvedReactorOptions,
  'incompleteFrameTimeout' | 'maxFrameLength' | 'maxPartialBytes' | 'maxSendBuffer' | 'maxTotalSendBuffer'
>;

/** What a connection needs of the loop it lives on. */
export interface ConnectionLoop {
  readonly index: number;
  readonly outbound: LoopPort;
  /** Connections begin as `connecting`. */
  readonly gated: boolean;
  readonly highWaterMark: number;
  readonly maxSendBuffer: number;
  readonly limits: ReactorLimits;
  readonly requestDeadlines: RequestDeadlines;
  /** Of all connections of the reactor. */
  readonly identities: Identities;
  /** A layer above reads frames as packets. */
  readonly packetsAreRead: boolean;
  /** Bytes the kernel took of a connection; -1 when it is gone. */
  bytesWritten(slot: number, generation: number): number;
  /** Bytes that came on a connection, whole frames or not; -1 when it is gone. */
  bytesReceived(slot: number, generation: number): number;
  countRefusedSend(): void;
  /** An answer came that no request waits for. */
  dropAnswer(connection: GevConnection<object>): void;
  reportFailure(culprit: string, error: unknown, connection: GevConnection<object>): void;
}
