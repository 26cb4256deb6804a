import type { Subscription } from 'rxjs';
import type { GevConnection } from '../core/connection.js';
import { type GevCallEnd, GevCallEndedError } from '../core/errors.js';
import { createCallController } from './call-controller.js';

/** Undefined: under way. `over`: it has ended. Else why nobody waits for its outcome any more. */
export type CallState = GevCallEnd | 'over' | undefined;

/** The signal of one call, made when its handler asks for it. */
export class CallSignal {
  private readonly controller: AbortController;
  private closing: Subscription | undefined;

  constructor(
    private readonly connection: GevConnection<object, unknown>,
    state: CallState,
  ) {
    this.controller = createCallController((...failure) => connection.reportFailure(...failure));
    if (state === undefined) {
      this.closing = connection.closed$.subscribe((reason) =>
        this.abort(reason === 'shutdown' ? 'shutdown' : 'lost'),
      );
    } else if (state !== 'over') {
      this.abort(state);
    }
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  abort(end: GevCallEnd): void {
    this.release();
    const cause = end === 'lost' ? this.connection.closeError : undefined;
    if (!this.signal.aborted) this.controller.abort(new GevCallEndedError(end, { cause }));
  }

  /** The call has ended: the connection is not to keep it. */
  release(): void {
    this.closing?.unsubscribe();
    this.closing = undefined;
  }
}
