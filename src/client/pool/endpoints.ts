import {
  GevClientClosedError,
  GevCodecMismatchError,
  GevConnectionLostError,
  GevNotConnectedError,
} from '../../core/client-errors.js';
import type { Clock } from '../../core/clock.js';
import { type GevConnection, nameOf } from '../../core/connection.js';
import { debug } from '../../core/debug.js';
import type { GevError } from '../../core/errors.js';
import type { ProcessHold } from '../../core/process-hold.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { ReactorHandler } from '../../core/reactor.js';
import { within } from '../../core/within.js';
import type { ClientReport } from '../client-report.js';
import type { GevClientStatus, GevEndpointStats } from '../gev.client.events.js';
import type { GevResolvedEndpoint, ResolvedGevClientOptions } from '../gev.client.options.js';
import { Balancer } from './balancer.js';
import { ConnectCalls } from './connect-calls.js';
import { Dialer, type DialOutcome } from './dialer.js';
import { EarlyFrames } from './early-frames.js';
import { Endpoint, type EndpointOwner, type LinkStage } from './endpoint.js';
import { LastResorts, type LastResortsOwner } from './last-resorts.js';
import type { Link, LinkFrame, LinkSession } from './link.js';
import { OfflineQueue, type Waiter } from './offline-queue.js';
import { type ClientReactor, ReactorOnDemand } from './reactor-on-demand.js';

/** What {@link Endpoints} needs, and whom it tells. */
export interface EndpointsSetup {
  readonly options: ResolvedGevClientOptions;
  readonly clock: Clock;
  /** Keeps the process alive for what is under way. */
  readonly hold: ProcessHold;
  readonly report: ClientReport;
  createReactor(handler: ReactorHandler): ClientReactor;
  /** What is to be spoken over a new connection. */
  openSession(link: Link): LinkSession;
  onStatus(status: GevClientStatus): void;
}

/** How long the server may take to say whether it wants to hear of requests that are given up. */
const TELL_MS = 500;
/** How long output may take to be flushed when the client closes, and the server to say FIN. */
const CLOSE_MS = 1_000;
/** How long, where nothing is left to be flushed: a server that still owes replies holds its FIN back for them. */
const LINGER_MS = 100;

/**
 * The connections of a client from its first need of one to `close()`: picks one for each request, makes requests wait
 * while there is none, and keeps connections up. It knows nothing of what is spoken over them.
 */
export class Endpoints implements ReactorHandler, EndpointOwner, LastResortsOwner {
  private readonly all: readonly Endpoint[];
  private readonly dialer: Dialer;
  private readonly balancer: Balancer;
  private readonly lastResorts: LastResorts;
  private readonly offline = new OfflineQueue();
  private readonly connecting: ConnectCalls;
  private readonly early = new EarlyFrames();
  private readonly reactors: ReactorOnDemand;
  private lastFailure: unknown;
  private wasConnected = false;
  private closed = false;

  constructor(private readonly setup: EndpointsSetup) {
    const { options, clock, hold } = setup;
    this.all = options.endpoints.map((target) => new Endpoint(target, this, options, clock));
    this.balancer = new Balancer(options.balance);
    this.lastResorts = new LastResorts(this, options.balance, clock);
    this.connecting = new ConnectCalls(hold);
    this.reactors = new ReactorOnDemand(() => setup.createReactor(this));
    this.dialer = new Dialer(async (target, timeout) => {
      if (this.closed) throw new GevClientClosedError();
      return (await this.reactors.start()).connect(target, timeout);
    }, options.connectTimeout);
  }

  get reactor(): ClientReactor | undefined {
    return this.reactors.running;
  }

  stats(): readonly GevEndpointStats[] {
    return this.all.map((endpoint) => endpoint.stats);
  }

  get connections(): readonly GevConnection[] {
    return this.all.flatMap((endpoint) => endpoint.all.map((link) => link.connection));
  }

  get queued(): number {
    return this.offline.size;
  }

  /** Resolves with the first connection that is up; rejects when every attempt failed. */
  connectAny(): Promise<void> {
    if (this.pick() !== undefined) return Promise.resolve();
    const connected = this.connecting.add();
    for (const endpoint of this.all) endpoint.begin();
    return connected;
  }

  /** Gives a request or event its connection, at once if possible. To be called in its context. */
  assign(waiter: Waiter): void {
    const link = this.pick();
    if (link !== undefined) waiter.take(link);
    else this.assignLater(waiter);
  }

  /** Ends it all: what is in flight and what waits fails, output is flushed, the reactor stops. */
  async close(): Promise<void> {
    this.setup.hold.up();
    try {
      await this.end();
    } finally {
      this.setup.hold.down();
    }
  }

  private async end(): Promise<void> {
    this.closed = true;
    debug('client closes');
    const links = this.all.flatMap((endpoint) => endpoint.takeAll());
    for (const endpoint of this.all) endpoint.stop();
    this.arrange();
    this.setup.onStatus('disconnected');
    const error = new GevClientClosedError();
    const telling = links.map((link) => this.hangUpAfterwards(link, link.session.abandonAll(error)));
    // Whoever waits for a connection is not told of an error: as with Nest's client, nothing has failed.
    this.connecting.resolve();
    this.dismiss(error, 0);
    await Promise.all(telling);
    const flushed = links.every(({ connection }) => connection.bufferedBytes === 0);
    const reactor = await this.reactors.begun?.catch(() => undefined);
    await reactor?.closeAll(flushed ? LINGER_MS : CLOSE_MS);
    await reactor?.stop();
  }

  // --- the reactor's events

  onOpen(): void {
    // A connection counts once its dial has resolved.
  }

  /** Nothing is attached before the dial has told of it. */
  onMessage(connection: ReactorConnection<Link>, frame: LinkFrame): void {
    const link = connection.attachment;
    if (link !== undefined) link.session.receive(frame);
    else this.early.keep(connection, frame);
  }

  onText(connection: ReactorConnection<Link>, frame: string): void {
    this.onMessage(connection, frame);
  }

  /** The server has said its last word. */
  onEnd(connection: ReactorConnection<Link>): void {
    this.reactor?.finish(connection);
    const link = connection.attachment;
    link?.endpoint.onLost(link, 'peer');
  }

  onClose(connection: ReactorConnection<Link>): void {
    this.early.take(connection);
    const link = connection.attachment;
    link?.endpoint.onLost(link, connection.closeReason ?? 'error');
    if (link?.announced === true) this.setup.report.closed(connection);
  }

  onError(error: GevError): void {
    this.setup.report.error(error);
  }

  // --- the endpoints' events

  connect(target: GevResolvedEndpoint, count: number, onDone: (outcome: DialOutcome) => void): Promise<void> {
    return this.dialer.connect(target, count, (outcome) => {
      if (!this.closed) onDone(outcome);
    });
  }

  openSession(link: Link): LinkSession {
    return this.setup.openSession(link);
  }

  greet(link: Link): void {
    link.session.greet();
    for (const frame of this.early.take(link.connection)) link.session.receive(frame);
  }

  onLink(link: Link, again: boolean): void {
    this.wasConnected = true;
    this.arrange();
    this.setup.onStatus('connected');
    link.announced = true;
    this.setup.report.connected(link, again);
    this.lastResorts.close();
    this.serve();
  }

  onDialFailed(endpoint: Endpoint, error: GevError): void {
    this.lastFailure = error;
    debug('endpoint %s: %s', endpoint.name, error.message);
    const expected = endpoint.departed && !this.balancer.empty;
    this.setup.report.dialFailed(endpoint, error, expected || !this.wasConnected);
  }

  onAttemptEnded(endpoint: Endpoint): void {
    if (this.closed) return;
    this.settle();
    if (this.wanted || this.trying) endpoint.beginLater();
  }

  onReconnecting(endpoint: Endpoint, delay: number): void {
    debug('endpoint %s: dialled again in %d ms', endpoint.name, delay);
    if (this.balancer.empty && this.wanted) this.setup.onStatus('reconnecting');
    this.setup.report.reconnecting(endpoint, delay);
  }

  /** Half of the endpoints at most: a network that fails for a moment must not leave the rest with all the work. */
  mayEject(): boolean {
    return this.all.filter(({ ejected }) => ejected).length + 1 <= this.all.length / 2;
  }

  onEjection(): void {
    const out = this.all.filter(({ ejected }) => ejected).map(({ name }) => name);
    debug('endpoints left out: %s', out.join(', ') || 'none');
    this.arrange();
  }

  onMalformed(link: Link, cause: unknown): void {
    this.setup.report.invalidReply(link, cause);
  }

  /** What is sent from now on goes elsewhere: to another endpoint, or to whoever listens there now. */
  onLeaving(endpoint: Endpoint, link: Link): void {
    const { inFlight } = link.session;
    debug('%s: the server asks it to go; %d calls in flight', nameOf(link.connection), inFlight);
    this.arrange();
    if (this.balancer.empty) this.setup.onStatus('disconnected');
    this.lastResorts.retire(link);
    for (const each of this.balancer.empty ? this.all : [endpoint]) this.replace(each);
  }

  onIdle(link: Link): void {
    this.lastResorts.retire(link);
  }

  onDropped(endpoint: Endpoint, link: Link, was: LinkStage, error: GevConnectionLostError): void {
    if (was === 'leaving') {
      this.setup.report.left(link, error);
      link.session.failAll(error);
      if (this.balancer.empty) this.replace(endpoint); // there may be room for another now
      return;
    }
    // Another codec is no matter of chance.
    const told = error.cause instanceof GevCodecMismatchError ? error.cause : error;
    this.lastFailure = told;
    if (was === 'greeting') {
      link.session.stop();
      if (told === error) this.replace(endpoint);
      else {
        this.setup.report.dialFailed(endpoint, told, false);
        if (this.wanted) endpoint.beginLater();
        this.settle();
      }
      return;
    }
    this.arrange();
    if (this.balancer.empty) this.setup.onStatus('disconnected');
    debug('endpoint %s: %s', endpoint.name, error.message);
    this.setup.report.disconnected(link, error);
    endpoint.beginLater();
    link.session.failAll(told);
    // Whatever waited for the end of this connection goes on.
    if (!this.connecting.empty) endpoint.begin();
    else if (this.needed) endpoint.beginForRequest();
    this.settle();
  }

  // --- for the last resorts

  get served(): boolean {
    return !this.balancer.empty || this.closed;
  }

  get needed(): boolean {
    return this.offline.size > 0;
  }

  candidates(): readonly (readonly Link[])[] {
    return this.all.map(({ lastResorts }) => lastResorts);
  }

  onNeeded(): void {
    if (this.lastResorts.open()) this.serve();
  }

  hangUp(link: Link): void {
    void this.hangUpAfterwards(link, link.session.told());
  }

  /** Whether to go on trying without being asked. */
  private get wanted(): boolean {
    return this.wasConnected || this.needed;
  }

  private get trying(): boolean {
    return this.all.some((endpoint) => endpoint.trying);
  }

  /** Closes a connection when the server was told what is given up on it, at once if nothing is. */
  private async hangUpAfterwards({ connection }: Link, told: Promise<void> | undefined): Promise<void> {
    if (told !== undefined) {
      const ended = new Promise((resolve) => connection.closed$.subscribe(resolve));
      await within(Promise.race([told, ended]), TELL_MS);
    }
    connection.close();
  }

  private pick(): Link | undefined {
    return this.balancer.pick() ?? this.pickLastResort();
  }

  private pickLastResort(): Link | undefined {
    const link = this.lastResorts.pick();
    if (link !== undefined) this.seek();
    return link;
  }

  private assignLater(waiter: Waiter): void {
    if (this.closed) {
      waiter.fail(new GevClientClosedError());
      return;
    }
    this.offline.enter(waiter);
    debug('nothing is connected: %d requests and events wait', this.offline.size);
    this.seek();
  }

  /** A request has need of a connection. */
  private seek(): void {
    if (!this.trying) for (const endpoint of this.all) endpoint.beginForRequest();
  }

  /** There is a connection: those who wait for one go on. */
  private serve(): void {
    this.connecting.resolve();
    for (const waiter of this.offline.dismiss(0)) {
      this.safely(() => waiter.runInAsyncScope(() => this.assign(waiter)));
    }
  }

  /** A connection has ended, or is about to, though nothing is wrong with its endpoint: dials what is missing at once. */
  private replace(endpoint: Endpoint): void {
    const needed = this.needed || !this.connecting.empty;
    if (needed || this.setup.options.reconnect !== false) endpoint.beginForRequest();
  }

  /** When nothing is up and nothing comes: those who wait are told, as far as they must not wait longer. */
  private settle(): void {
    if (this.served || this.trying) return;
    if (this.lastResorts.open()) {
      this.serve();
      return;
    }
    // A request that was never sent is not to hear that it may have been handled.
    const { lastFailure: cause } = this;
    const unsent = cause === undefined || cause instanceof GevConnectionLostError;
    const error = unsent ? new GevNotConnectedError(undefined, { cause }) : cause;
    this.dismiss(error, this.setup.options.offlineQueue);
    if (this.wanted || this.trying) return;
    this.setup.onStatus('disconnected');
    this.rest();
  }

  private dismiss(error: unknown, kept: number): void {
    this.connecting.reject(error);
    for (const waiter of this.offline.dismiss(kept)) this.safely(() => waiter.fail(error));
  }

  /** Nobody was ever there, and nobody waits: as before the first request. */
  private rest(): void {
    for (const endpoint of this.all) endpoint.rest();
    const { begun } = this.reactors;
    this.reactors.forget();
    void begun?.then((reactor) => reactor.stop()).catch((error: unknown) => this.setup.report.failure(error));
  }

  private arrange(): void {
    this.balancer.arrange(this.all.map(({ links }) => links));
  }

  private safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.setup.report.failure(error);
    }
  }
}
