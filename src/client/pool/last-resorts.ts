import type { Clock } from '../../core/clock.js';
import { Balancer } from './balancer.js';
import type { GevRequestBalance } from '../gev.client.options.js';
import type { Link } from './link.js';

/** What {@link LastResorts} must know, and whom it asks. */
export interface LastResortsOwner {
  /** Another connection is up, or the client closes: none is needed. */
  readonly served: boolean;
  /** Requests or events wait for a connection. */
  readonly needed: boolean;
  /** Connections that are to end and may still be used, of each endpoint. */
  candidates(): readonly (readonly Link[])[];
  /** They are to be used: nobody else can be reached in time. */
  onNeeded(): void;
  hangUp(link: Link): void;
}

/** How long one is kept without being needed: so long a server waits for the silence of Nest's own clients, too. */
const QUIET_MS = 500;

/**
 * Connections that their servers have asked to end, used while no other is up and none can be made: what comes on them is
 * answered until the server says FIN.
 */
export class LastResorts {
  private readonly balancer: Balancer;

  constructor(
    private readonly owner: LastResortsOwner,
    balance: GevRequestBalance,
    private readonly clock: Clock,
  ) {
    this.balancer = new Balancer(balance);
  }

  /** Undefined while there is none, or none is to be used. */
  pick(): Link | undefined {
    return this.balancer.pick();
  }

  /** Nobody else can be reached. Returns whether there are any. */
  open(): boolean {
    const candidates = this.owner.candidates();
    for (const link of candidates.flat()) link.lastResort = true;
    this.balancer.arrange(candidates);
    return !this.balancer.empty;
  }

  /** Another connection is up. */
  close(): void {
    this.balancer.arrange([]);
    for (const link of this.owner.candidates().flat()) {
      link.lastResort = false;
      this.retire(link);
    }
  }

  /** A connection that is to end hangs up when it is idle, unless it may yet be needed. */
  retire(link: Link): void {
    link.stopWaiting?.();
    if (link.used && !this.owner.served) {
      link.stopWaiting = this.clock.after(QUIET_MS, () => this.reconsider(link));
    } else if (link.session.idle) {
      this.owner.hangUp(link);
    }
  }

  /** Nobody has needed it for a while; or those who do wait for an attempt to connect that takes its time. */
  private reconsider(link: Link): void {
    if (!this.owner.served && this.owner.needed) this.owner.onNeeded();
    if (link.session.idle) this.owner.hangUp(link);
    else this.retire(link);
  }
}
