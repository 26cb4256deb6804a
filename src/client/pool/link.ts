import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Call } from '../calls/call.js';
import type { Cancellation } from '../calls/cancellation.js';
import type { Endpoint } from './endpoint.js';
import type { Greeting } from './greeting.js';
import type { Probe } from './probe.js';

/** A connection that is up, and what is in flight on it. */
export class Link {
  /** Requests without a final reply, by id. */
  readonly calls = new Map<number, Call>();
  /** Events that the kernel has not taken yet. */
  events = 0;
  /** There from the first request that is given up. */
  cancellation: Cancellation | undefined = undefined;
  /** There from the first request that times out. */
  probe: Probe | undefined = undefined;
  /** There until the server has introduced itself. */
  greeting: Greeting | undefined = undefined;
  /** Nothing but requests and events is sent on it: its server hangs up on whoever greets it. */
  bare = false;
  /** Not to be used before the server has answered: it may be that nobody is there. */
  awaited = false;
  /** Whether the server wants to hear of requests that are given up; undefined: not known yet. */
  cancels: boolean | undefined = undefined;
  /** The server has asked for it to end: it takes no further request, unless it is a last resort, and ends when it is idle. */
  leaving = false;
  /** It is to end, and used all the same: nobody else can be reached, and what comes before its server says FIN is answered. */
  lastResort = false;
  /** A request or event was sent on it. */
  used = false;
  /** Ends the time in which it might become a last resort. */
  stopWaiting: (() => void) | undefined = undefined;
  /** Listeners of the client's events know it. */
  announced = false;
  /** The last reply that a deserializer still works on: those behind it wait. */
  backlog: Promise<void> | undefined = undefined;

  constructor(
    readonly endpoint: Endpoint,
    readonly connection: ReactorConnection<Link>,
    /** When it was made, as the client's clock tells. */
    readonly since: number,
  ) {
    connection.attachment = this;
  }

  /** Better not asked, while there is another: the server does not read fast enough, or may be gone. */
  get doubtful(): boolean {
    return this.connection.congested || this.probe?.pending === true;
  }

  /** False: it is closing, and its end is about to be reported, or nothing is to be sent on it. */
  get usable(): boolean {
    return this.open && !this.awaited && (!this.leaving || this.lastResort);
  }

  /** It waits for nothing. */
  get idle(): boolean {
    return this.calls.size === 0 && this.events === 0;
  }

  /** Whether words about the connection itself, or about what is in flight on it, may be sent. */
  get open(): boolean {
    return this.connection.state === 'open';
  }
}
