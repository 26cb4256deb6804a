import { formatAddress } from '../../core/address.js';
import { GevCodecMismatchError, GevConnectionLostError } from '../../core/client-errors.js';
import type { CloseReason } from '../../core/close-reason.js';
import { nameOf } from '../../core/connection.js';
import { debug } from '../../core/debug.js';
import { GevConnectionError, type GevError } from '../../core/errors.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import type { Clock } from '../../core/clock.js';
import { NEST_JSON_PACKETS } from '../../protocol/packet-format.js';
import { Admittance } from './admittance.js';
import type { DialOutcome } from './dialer.js';
import { Ejection, type EjectionOwner } from './ejection.js';
import type { GevEndpointStats } from '../gev.client.events.js';
import type { GevResolvedEndpoint, ResolvedGevClientOptions } from '../gev.client.options.js';
import { Link, type LinkEndpoint, type LinkSession } from './link.js';
import { Reconnect } from './reconnect.js';

/** What a connection was when it was lost: in use, not answered on yet, or about to end as its server wishes. */
export type LinkStage = 'up' | 'greeting' | 'leaving';

/** What an {@link Endpoint} asks of its client, and tells it. */
export interface EndpointOwner extends EjectionOwner {
  /** As {@link Dialer.connect}. */
  connect(target: GevResolvedEndpoint, count: number, onDone: (outcome: DialOutcome) => void): Promise<void>;
  /** What is to be spoken over a new connection. */
  openSession(link: Link): LinkSession;
  /** Begins it. */
  greet(link: Link): void;
  /** @param again one was lost, or asked to end, before */
  onLink(link: Link, again: boolean): void;
  onDialFailed(endpoint: Endpoint, error: GevError): void;
  /** Whatever came of it. */
  onAttemptEnded(endpoint: Endpoint): void;
  onReconnecting(endpoint: Endpoint, delay: number): void;
  /** The server asks for a connection to end: it takes no further request. */
  onLeaving(endpoint: Endpoint, link: Link): void;
  /** A connection that is to end waits for nothing more. */
  onIdle(link: Link): void;
  /** The server has sent what makes no sense: the connection is about to be lost. */
  onMalformed(link: Link, cause: unknown): void;
  /** A connection is gone. */
  onDropped(endpoint: Endpoint, link: Link, was: LinkStage, error: GevConnectionLostError): void;
}

/** So many times the connections it has may wait for their last replies, before no more are made. */
const MAX_LEAVING = 16;

const HUNG_UP =
  'it hung up on the first frame without a word, as a server of nest-json does: give both sides the same codec';
const NONSENSE = 'what it sent first makes no sense in that: give both sides the same codec';
const SILENT = 'The server answers neither requests nor a probe';

/** One server: its connections, when it is dialled, and whether it answers. */
export class Endpoint implements LinkEndpoint {
  readonly name: string;
  /** Connections that are up and to be used. */
  readonly links: Link[] = [];
  /** New ones on which nobody has answered yet. */
  private readonly greeting = new Set<Link>();
  /** Those that the server wants to end, and which are not idle yet, or close. */
  private readonly leaving = new Set<Link>();

  private readonly reconnect: Reconnect;
  private attempting = false;
  private neededAgain = false; // since the attempt under way began
  private readonly ejection: Ejection;
  private readonly admittance = new Admittance();
  private losses = 0; // not made good yet
  private stopped = false; // the client closes
  private failing = false; // a connection was lost, and none has been made since
  private met = false; // somebody has answered
  /** Only servers of ours speak the codec: each connection is greeted, and used when that is answered. */
  private readonly strict: boolean;

  constructor(
    readonly target: GevResolvedEndpoint,
    private readonly owner: EndpointOwner,
    private readonly options: Pick<
      ResolvedGevClientOptions,
      'connections' | 'reconnect' | 'ejection' | 'codec'
    >,
    private readonly clock: Clock,
  ) {
    this.name = endpointName(target);
    this.strict = options.codec.packets !== NEST_JSON_PACKETS;
    this.reconnect = new Reconnect(options.reconnect, clock);
    this.ejection = new Ejection(owner, options.ejection, clock);
  }

  /** A connection may come of what is under way: an attempt, or the end of a connection that closes. */
  get trying(): boolean {
    if (this.attempting || this.reconnect.hastened || this.greeting.size > 0) return true;
    return this.links.some((link) => !link.usable);
  }

  /** It has asked connections to end, and nobody has answered since: that it refuses others is no news. */
  get departed(): boolean {
    return this.admittance.doubted;
  }

  get ejected(): boolean {
    return this.ejection.active;
  }

  get missing(): number {
    const { connections } = this.options;
    // A server that asks each to end is not to have ever more of them.
    if (this.leaving.size >= MAX_LEAVING * connections) return 0;
    return connections - this.links.length - this.greeting.size;
  }

  /** Connections that it wants to end, and that may still be used. Those on which nothing was ever sent are not kept. */
  get lastResorts(): readonly Link[] {
    return [...this.leaving].filter((link) => link.used && link.open);
  }

  /** Whatever is there, to be used or not. */
  get all(): readonly Link[] {
    return [...this.links, ...this.greeting, ...this.leaving];
  }

  get stats(): GevEndpointStats {
    return {
      address: this.name,
      state: this.state,
      connections: this.links.length,
      inFlight: this.all.reduce((sum, link) => sum + link.session.inFlight, 0),
      bufferedBytes: this.all.reduce((sum, { connection }) => sum + connection.bufferedBytes, 0),
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
      if (outcome instanceof Error) this.fail(outcome);
      else this.open(outcome);
    };
    // The connection outlives the request that needs it first.
    inFreshScope(() => {
      void this.owner.connect(this.target, missing, done).then(() => {
        this.attempting = false;
        if (this.neededAgain) this.beginForRequest();
        this.neededAgain = false;
        this.owner.onAttemptEnded(this);
      });
    });
  }

  /**
   * A request needs a connection: as {@link Endpoint.begin}, in a moment if the last attempt began but now, and after the
   * one under way if that, too, leaves something missing.
   */
  beginForRequest(): void {
    if (this.missing === 0) return;
    if (this.attempting) this.neededAgain = true;
    else this.reconnect.hasten(() => this.begin());
  }

  /** Dials what is missing in a while. */
  beginLater(): void {
    if (this.attempting || this.missing === 0) return;
    const delay = this.reconnect.schedule(() => this.begin());
    if (delay !== undefined) this.owner.onReconnecting(this, delay);
  }

  // --- the links' events

  replied(): void {
    this.ejection.replied();
  }

  onGreeted(link: Link): void {
    this.met = true;
    this.admittance.answered(link.leaving);
    if (!link.leaving) this.admit(link);
  }

  onUngreeted(link: Link): void {
    if (this.stopped) return;
    debug('%s: nobody answers', nameOf(link.connection));
    this.loseSilent(link);
  }

  onSilent(link: Link): void {
    if (this.stopped) return;
    debug('%s leaves a probe unanswered', nameOf(link.connection));
    this.silent();
    this.loseSilent(link);
  }

  onMalformed(link: Link, cause: unknown): void {
    if (this.stopped) return;
    this.owner.onMalformed(link, cause);
    // What follows makes no sense either.
    link.connection.failProtocol();
    this.onLost(link, 'protocol');
  }

  onGoAway(link: Link): void {
    if (this.stopped) return;
    const anew = this.greeting.delete(link) || this.remove(link);
    this.admittance.askedToGo(anew);
    if (!anew) return;
    link.session.stop();
    this.reconnect.departed(link.since);
    link.leaving = true;
    this.leaving.add(link);
    this.owner.onLeaving(this, link);
  }

  onIdle(link: Link): void {
    if (!this.stopped) this.owner.onIdle(link);
  }

  /** A connection is gone, or is given up. Harmless when that is known. */
  onLost(link: Link, reason: CloseReason, cause = link.connection.closeError): void {
    if (this.stopped) return;
    const was = this.drop(link);
    if (was === undefined) return;
    if (link.session.ungreeted && link.connection.bytesArrived === 0) this.admittance.hungUp();
    this.owner.onDropped(
      this,
      link,
      was,
      new GevConnectionLostError(this.name, reason, { cause: this.mismatchOf(link, reason) ?? cause }),
    );
  }

  /** That the server speaks another codec, where this is known, or all that can be thought of. */
  private mismatchOf({ connection, awaited }: Link, reason: CloseReason): GevCodecMismatchError | undefined {
    const stranger = this.strict && awaited && !this.met;
    const what = connection.mismatch ?? (stranger ? signOf(reason, connection) : undefined);
    if (what === undefined) return undefined;
    return new GevCodecMismatchError(this.name, this.options.codec.name, what, {
      cause: connection.closeError,
    });
  }

  private loseSilent(link: Link): void {
    link.connection.failSilent();
    this.onLost(link, 'reset', new GevConnectionError('ETIMEDOUT', SILENT));
  }

  /** Returns what it was; undefined when it is gone already. */
  private drop(link: Link): LinkStage | undefined {
    if (this.greeting.delete(link)) {
      this.reconnect.departed(link.since);
      return 'greeting';
    }
    if (this.leaving.delete(link)) {
      link.stopWaiting?.();
      return 'leaving';
    }
    if (!this.remove(link)) return undefined;
    // Of several that go together one counts.
    if (!this.failing) this.ejection.failed();
    this.failing = true;
    return 'up';
  }

  /** Forgets all connections, and returns them. */
  takeAll(): readonly Link[] {
    const { all } = this;
    for (const link of all) link.stopWaiting?.();
    this.links.length = 0;
    this.greeting.clear();
    this.leaving.clear();
    return all;
  }

  /** It does not answer, whatever it is asked. */
  silent(): void {
    this.ejection.silent();
  }

  /** Dials no more by itself. */
  rest(): void {
    this.reconnect.cancel();
  }

  stop(): void {
    this.stopped = true;
    this.rest();
    this.ejection.stop();
  }

  private get state(): GevEndpointStats['state'] {
    if (this.links.some((link) => link.usable)) return 'connected';
    if (this.attempting || this.greeting.size > 0) return 'connecting';
    return this.reconnect.scheduled ? 'waiting' : 'idle';
  }

  private fail(error: GevError): void {
    // Without a connection there is nothing to leave out.
    if (this.links.length > 0) this.ejection.failed();
    this.owner.onDialFailed(this, error);
  }

  private open(connection: ReactorConnection): void {
    const link = new Link(this, connection, this.clock.now(), (opened) => this.owner.openSession(opened));
    const trust = this.strict ? 'awaited' : this.admittance.next(this.leaving.size > 0);
    link.bare = trust === 'bare';
    link.awaited = trust === 'awaited';
    this.greeting.add(link);
    this.owner.greet(link);
    if (!link.awaited) this.admit(link);
  }

  /** It is no longer up. */
  private remove(link: Link): boolean {
    const index = this.links.indexOf(link);
    if (index < 0) return false;
    this.links.splice(index, 1);
    this.losses++;
    this.reconnect.lost();
    return true;
  }

  /** A new connection is to be used. */
  private admit(link: Link): void {
    if (!this.greeting.delete(link)) return;
    link.awaited = false;
    this.use(link);
  }

  private use(link: Link): void {
    this.links.push(link);
    this.failing = false;
    this.reconnect.connected();
    const again = this.losses > 0;
    if (again) this.losses--;
    this.owner.onLink(link, again);
  }
}

/** By what a server that nobody has understood yet shows that it does not understand either. */
function signOf(reason: CloseReason, { bytesArrived }: ReactorConnection): string | undefined {
  if (reason === 'protocol') return NONSENSE;
  return reason === 'peer' && bytesArrived === 0 ? HUNG_UP : undefined;
}

/** `host:port` or the path. */
export function endpointName(target: GevResolvedEndpoint): string {
  return formatAddress('path' in target ? target : { address: target.host, port: target.port });
}

/** What is known of an endpoint that was not needed yet. */
export function idleStats(target: GevResolvedEndpoint): GevEndpointStats {
  return {
    address: endpointName(target),
    state: 'idle',
    connections: 0,
    inFlight: 0,
    bufferedBytes: 0,
    ejected: false,
  };
}
