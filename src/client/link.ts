import type { GevConnection } from '../core/connection.js';
import type { Call } from './call.js';
import type { Cancellation } from './cancellation.js';
import type { Endpoint } from './endpoint.js';
import type { Probe } from './probe.js';

/** A connection that is up, and what is in flight on it. */
export class Link {
  /** Requests without a final reply, by id. */
  readonly calls = new Map<number, Call>();
  /** There from the first request that is given up. */
  cancellation: Cancellation | undefined = undefined;
  /** There from the first request that times out. */
  probe: Probe | undefined = undefined;
  /** The last reply that a deserializer still works on: those behind it wait. */
  backlog: Promise<void> | undefined = undefined;

  constructor(
    readonly endpoint: Endpoint,
    readonly connection: GevConnection,
  ) {
    connection.scope = this;
  }

  /** Better not asked, while there is another: the server does not read fast enough, or may be gone. */
  get doubtful(): boolean {
    return this.connection.congested || this.probe?.pending === true;
  }

  /** False: it is closing, and its end is about to be reported. */
  get usable(): boolean {
    return this.connection.state === 'open';
  }
}
