import { formatAddress } from '../core/address.js';
import type { GevConnection } from '../core/connection.js';
import type { GevError } from '../core/errors.js';
import { inFreshScope } from '../native/fresh-scope.js';
import type { Clock } from './clock.js';
import type { DialOutcome } from './dialer.js';
import type { GevEndpointStats } from './gev.client.events.js';
import type { ResolvedEndpoint, ResolvedGevClientOptions } from './gev.client.options.js';
import { Link } from './link.js';
import { Reconnect } from './reconnect.js';

/** What an {@link Endpoint} asks of its client, and tells it. */
export interface EndpointOwner {
  /** As {@link Dialer.connect}. */
  connect(target: ResolvedEndpoint, count: number, onDone: (outcome: DialOutcome) => void): Promise<void>;
  /** @param again one was lost before */
  onLink(link: Link, again: boolean): void;
  onDialFailed(endpoint: Endpoint, error: GevError): void;
  /** Whatever came of it. */
  onAttemptEnded(endpoint: Endpoint): void;
  onReconnecting(endpoint: Endpoint, delay: number): void;
  /** It is left out, or no longer. */
  onEjection(): void;
}

/** One server: its connections, when it is dialled, and whether it answers. */
export class Endpoint {
  /** For messages. */
  readonly name: string;
  /** Connections that are up. */
  readonly links: Link[] = [];
  /** Left out for a while, for its timeouts. */
  ejected = false;

  private readonly reconnect: Reconnect;
  private attempting = false;
  private timeouts = 0; // in a row
  private losses = 0; // not made good yet
  private cancelReturn: (() => void) | undefined;

  constructor(
    readonly target: ResolvedEndpoint,
    private readonly owner: EndpointOwner,
    private readonly options: Pick<ResolvedGevClientOptions, 'connections' | 'reconnect' | 'ejection'>,
    private readonly clock: Clock,
  ) {
    this.name = endpointName(target);
    this.reconnect = new Reconnect(options.reconnect, clock);
  }

  /** A connection may come of what is under way: an attempt, or the end of a connection that closes. */
  get trying(): boolean {
    return this.attempting || this.links.some((link) => !link.usable);
  }

  get missing(): number {
    return this.options.connections - this.links.length;
  }

  get stats(): GevEndpointStats {
    return {
      address: this.name,
      state: this.state,
      connections: this.links.length,
      inFlight: this.links.reduce((sum, link) => sum + link.calls.size, 0),
      bufferedBytes: this.links.reduce((sum, { connection }) => sum + connection.bufferedBytes, 0),
      ejected: this.ejected,
    };
  }

  /** Dials what is missing, unless that is under way. */
  begin(): void {
    const { missing } = this;
    if (this.attempting || missing === 0) return;
    this.attempting = true;
    this.reconnect.began();
    const done = (outcome: DialOutcome): void => {
      if (outcome instanceof Error) this.owner.onDialFailed(this, outcome);
      else this.open(outcome);
    };
    // The connection outlives the request that needs it first.
    inFreshScope(() => {
      void this.owner.connect(this.target, missing, done).then(() => {
        this.attempting = false;
        this.owner.onAttemptEnded(this);
      });
    });
  }

  /** As {@link Endpoint.begin}, unless the last attempt began a moment ago: a request needs a connection. */
  beginIfDue(): void {
    if (this.reconnect.due) this.begin();
  }

  /** Dials what is missing in a while. */
  beginLater(): void {
    if (this.attempting || this.missing === 0) return;
    const delay = this.reconnect.schedule(() => this.begin());
    if (delay !== undefined) this.owner.onReconnecting(this, delay);
  }

  /** A connection is gone. False: that is known. */
  drop(link: Link): boolean {
    const index = this.links.indexOf(link);
    if (index < 0) return false;
    this.links.splice(index, 1);
    this.losses++;
    this.reconnect.lost();
    return true;
  }

  /** It answers. */
  replied(): void {
    this.timeouts = 0;
  }

  /** It did not answer a request. */
  timedOut(): void {
    const { ejection } = this.options;
    this.timeouts++;
    if (ejection === false || this.ejected || this.timeouts < ejection.failures) return;
    this.ejected = true;
    this.cancelReturn = this.clock.after(ejection.duration, () => this.readmit());
    this.owner.onEjection();
  }

  /** Dials no more by itself. */
  rest(): void {
    this.reconnect.cancel();
  }

  stop(): void {
    this.rest();
    this.cancelReturn?.();
  }

  private get state(): GevEndpointStats['state'] {
    if (this.links.some((link) => link.usable)) return 'connected';
    if (this.attempting) return 'connecting';
    return this.reconnect.scheduled ? 'waiting' : 'idle';
  }

  private open(connection: GevConnection): void {
    if (this.links.length === 0) {
      this.timeouts = 0;
      if (this.ejected) this.readmit();
    }
    const link = new Link(this, connection);
    this.links.push(link);
    this.reconnect.connected();
    const again = this.losses > 0;
    if (again) this.losses--;
    this.owner.onLink(link, again);
  }

  /** The count of timeouts stays: one more leaves it out again, a reply makes it good. */
  private readmit(): void {
    this.cancelReturn?.();
    this.cancelReturn = undefined;
    this.ejected = false;
    this.owner.onEjection();
  }
}

/** `host:port` or the path. */
export function endpointName(target: ResolvedEndpoint): string {
  return formatAddress('path' in target ? target : { address: target.host, port: target.port });
}

/** What is known of an endpoint that was not needed yet. */
export function idleStats(target: ResolvedEndpoint): GevEndpointStats {
  return {
    address: endpointName(target),
    state: 'idle',
    connections: 0,
    inFlight: 0,
    bufferedBytes: 0,
    ejected: false,
  };
}
