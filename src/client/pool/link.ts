import type { CloseReason } from '../../core/close-reason.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { GevResolvedEndpoint } from '../gev.client.options.js';

/** What comes on a connection: one frame, as text or bytes. */
export type LinkFrame = string | Buffer;

/** What is spoken over a connection. The pool knows neither the words nor who speaks. */
export interface LinkSession {
  /** Requests without a final reply. */
  readonly inFlight: number;
  /** Neither a request nor an event waits for anything. */
  readonly idle: boolean;
  /** The server was greeted, and nobody has answered yet. */
  readonly ungreeted: boolean;
  /** The server was asked whether it is still there, and nothing has come since. */
  readonly probing: boolean;
  /** Says the first word; {@link LinkEndpoint.onGreeted} tells of the answer. */
  greet(): void;
  receive(frame: LinkFrame): void;
  /** Asks the server nothing more by itself. */
  stop(): void;
  /** Fails all that is in flight: the connection is gone. */
  failAll(error: unknown): void;
  /**
   * The client closes: tells the server that nobody waits for what is in flight, and fails it. Resolves when all was said, or
   * the server does not want to hear it; undefined where nothing is left to be said.
   */
  abandonAll(error: unknown): Promise<void> | undefined;
  /** Resolves when the server knows all that was given up, or does not want to hear it; undefined: it does. */
  told(): Promise<void> | undefined;
}

/** Where a link leads, told of what its session finds out. */
export interface LinkEndpoint {
  /** For messages. */
  readonly name: string;
  readonly target: GevResolvedEndpoint;
  /** Left out for a while. */
  readonly ejected: boolean;
  /** It answers. */
  replied(): void;
  /** Somebody answers on a new connection. */
  onGreeted(link: Link): void;
  /** Nobody does, in all the time there was. */
  onUngreeted(link: Link): void;
  /** Not even a probe is answered. */
  onSilent(link: Link): void;
  /** The server asks for the connection to end. */
  onGoAway(link: Link): void;
  /** A connection that is to end waits for nothing more. */
  onIdle(link: Link): void;
  /** It has sent what makes no sense. */
  onMalformed(link: Link, cause: unknown): void;
  /** The connection is gone, or given up. Harmless when that is known. */
  onLost(link: Link, reason: CloseReason): void;
}

/** A connection that is up. */
export class Link {
  readonly session: LinkSession;
  /** Nothing but requests and events is sent on it: its server hangs up on whoever greets it. */
  bare = false;
  /** Not to be used before the server has answered: it may be that nobody is there. */
  awaited = false;
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

  /** @param since when it was made, as the client's clock tells */
  constructor(
    readonly endpoint: LinkEndpoint,
    readonly connection: ReactorConnection,
    readonly since: number,
    openSession: (link: Link) => LinkSession,
  ) {
    this.session = openSession(this);
    connection.attachment = this;
  }

  /** Better not asked, while there is another: the server does not read fast enough, or may be gone. */
  get doubtful(): boolean {
    return this.connection.congested || this.session.probing;
  }

  /** False: it is closing, and its end is about to be reported, or nothing is to be sent on it. */
  get usable(): boolean {
    return this.open && !this.awaited && (!this.leaving || this.lastResort);
  }

  /** Whether words about the connection itself, or about what is in flight on it, may be sent. */
  get open(): boolean {
    return this.connection.state === 'open';
  }
}
