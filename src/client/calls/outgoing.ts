import { AsyncResource } from 'node:async_hooks';
import { onAbort } from '../../core/abort-listeners.js';
import { GevAbortedError } from '../../core/client-errors.js';
import type { DeadlineQueue, Deadlines, Timed } from '../../core/deadlines.js';
import type { ProcessHold } from '../../core/process-hold.js';
import type { GevMetadata, GevRecordOptions } from '../gev.record.js';
import type { Link } from '../pool/link.js';
import type { OfflineQueue, Waiter } from '../pool/offline-queue.js';
import type { PacketSerializer } from './serialization.js';

/** What a request or event needs of its client. */
export interface OutgoingSetup {
  /** In ms, until the first reply, or for an event until there is a connection; 0: without end. */
  readonly requestTimeout: number;
  readonly deadlines: Deadlines<Outgoing>;
  /** Keeps the process alive for what is under way. */
  readonly hold: ProcessHold;
  readonly packets: PacketSerializer;
  metadataOf(outgoing: Outgoing): GevMetadata | undefined;
  /** Looks for a connection anew. To be called in its context. */
  assign(outgoing: Outgoing): void;
}

/**
 * A request or an event on its way: waiting for a connection, or, a request only, for its replies. It is its own entry in
 * the list of deadlines and in the offline queue.
 *
 * It is the asynchronous context of whoever subscribed or emitted. What it makes others do – serializers, dispatch hooks,
 * subscribers – runs in that, whatever event it is that lets it go on.
 */
export abstract class Outgoing extends AsyncResource implements Timed<Outgoing>, Waiter {
  deadline = 0;
  queue: DeadlineQueue<Outgoing> | undefined = undefined;
  earlier: Outgoing | undefined = undefined;
  later: Outgoing | undefined = undefined;
  offlineQueue: OfflineQueue | undefined = undefined;
  /** It has ended, and whoever waits for it has been told, or has left. */
  settled = false;
  /** Stops listening to its signal. */
  protected release: (() => void) | undefined = undefined;

  constructor(
    protected readonly setup: OutgoingSetup,
    readonly pattern: unknown,
    readonly data: unknown,
    readonly options: GevRecordOptions | undefined,
  ) {
    super('GevCall');
  }

  /** Here is the connection to take. Called in its context. */
  abstract take(link: Link): void;
  /** There is none to be had, or something else is wrong. Called in any context. */
  abstract fail(error: unknown): void;
  /** Its time is up. Called in any context. */
  abstract expire(): void;
  /** Its signal was aborted. Called in any context; must not throw. */
  protected abstract abort(error: GevAbortedError): void;

  /** The time runs. */
  protected begin(): void {
    this.setup.hold.up();
    this.setup.deadlines.add(this, this.timeout);
    const signal = this.options?.signal;
    if (signal !== undefined) this.watch(signal);
  }

  protected get timeout(): number {
    return this.options?.timeout ?? this.setup.requestTimeout;
  }

  private watch(signal: AbortSignal): void {
    const abort = (): void => this.abort(new GevAbortedError({ cause: signal.reason as unknown }));
    if (signal.aborted) abort();
    else this.release = onAbort(signal, abort);
  }
}
