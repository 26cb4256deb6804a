import {
  GevClientClosedError,
  GevConnectionLostError,
  GevNotConnectedError,
} from '../../core/client-errors.js';
import type { CloseReason } from '../../core/close-reason.js';
import { type GevConnection, nameOf } from '../../core/connection.js';
import { debug } from '../../core/debug.js';
import { GevConnectionError, type GevError } from '../../core/errors.js';
import type { ProcessHold } from '../../core/process-hold.js';
import type { ReactorConnection } from '../../core/reactor-connection.js';
import type { Reactor, ReactorHandler } from '../../core/reactor.js';
import { within } from '../../core/within.js';
import { Balancer } from './balancer.js';
import type { ClientReport } from '../client-report.js';
import type { Clock } from '../../core/clock.js';
import { Dialer, type DialOutcome } from './dialer.js';
import { EarlyTexts } from './early-texts.js';
import { Endpoint, type EndpointOwner } from './endpoint.js';
import type { GevClientStatus, GevEndpointStats } from '../gev.client.events.js';
import type { GevResolvedEndpoint, ResolvedGevClientOptions } from '../gev.client.options.js';
import { LastResorts, type LastResortsOwner } from './last-resorts.js';
import type { Link } from './link.js';
import type { Outgoing } from '../calls/outgoing.js';
import { WaitingRoom } from './waiting-room.js';

/** What a client uses of its reactor. */
export type ClientReactor = Pick<Reactor, 'start' | 'connect' | 'finish' | 'closeAll' | 'stop' | 'unref'>;

/** What {@link Endpoints} needs, and whom it tells. */
export interface EndpointsSetup {
  readonly options: ResolvedGevClientOptions;
  readonly clock: Clock;
  /** Keeps the process alive for what is under way. */
  readonly hold: ProcessHold;
  readonly report: ClientReport;
  createReactor(handler: ReactorHandler): ClientReactor;
  onStatus(status: GevClientStatus): void;
  onText(link: Link, text: string): void;
  /** Fails what is in flight on a connection that is gone. */
  onLost(link: Link, error: GevError): void;
  /** Has the server stop working on what is in flight on a connection, and fails that. Resolves when the server is told; undefined: it is. */
  abandonAll(link: Link, error: GevError): Promise<void> | undefined;
  /** Says the first word on a connection; the answer is for {@link Endpoints.greeted}. */
  greet(link: Link): void;
}

/** How long the server may take to say whether it wants to hear of requests that are given up. */
const TELL_MS = 500;
/** How long output may take to be flushed when the client closes, and the server to say FIN. */
const CLOSE_MS = 1_000;
/** How long, where nothing is left to be flushed: a server that still owes replies holds its FIN back for them. */
const LINGER_MS = 100;

const SILENT = 'The server answers neither requests nor a probe';

/** Somebody who waits in `connect()`. */
interface Connecting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The connections of a client from its first need of one to `close()`: picks one for each request, makes requests wait
 * while there is none, and keeps connections up.
 */
export class Endpoints implements ReactorHandler, EndpointOwner, LastResortsOwner {
  private readonly all: readonly Endpoint[];
  private readonly dialer: Dialer<ReactorConnection<Link>>;
  private readonly balancer: Balancer;
  private readonly lastResorts: LastResorts;
  private readonly waiting = new WaitingRoom();
  private readonly early = new EarlyTexts();
  private connecting: Connecting[] = [];
  private starting: Promise<ClientReactor> | undefined;
  private running: ClientReactor | undefined;
  private lastFailure: unknown;
  private wasConnected = false;
  private closed = false;

  constructor(private readonly setup: EndpointsSetup) {
    const { options, clock } = setup;
    this.all = options.endpoints.map((target) => new Endpoint(target, this, options, clock));
    this.balancer = new Balancer(options.balance);
    this.lastResorts = new LastResorts(this, options.balance, clock);
    this.dialer = new Dialer(async (target, timeout) => {
      if (this.closed) throw new GevClientClosedError();
      return (await this.start()).connect(target, timeout);
    }, options.connectTimeout);
  }

  get reactor(): ClientReactor | undefined {
    return this.running;
  }

  stats(): readonly GevEndpointStats[] {
    return this.all.map((endpoint) => endpoint.stats);
  }

  get connections(): readonly GevConnection[] {
    return this.all.flatMap((endpoint) => endpoint.all.map((link) => link.connection));
  }

  get queued(): number {
    return this.waiting.size;
  }

  /** Resolves with the first connection that is up; rejects when every attempt failed. */
  connectAny(): Promise<void> {
    if (this.pick() !== undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.setup.hold.up();
      this.connecting.push({ resolve, reject });
      for (const endpoint of this.all) endpoint.begin();
    });
  }

  /** Gives a request or event its connection, at once if possible. To be called in its context. */
  assign(outgoing: Outgoing): void {
    const link = this.pick();
    if (link !== undefined) outgoing.take(link);
    else this.assignLater(outgoing);
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
    const telling = links.map((link) => this.hangUpAfterwards(link, this.setup.abandonAll(link, error)));
    // Whoever waits for a connection is not told of an error: as with Nest's client, nothing has failed.
    this.tellConnected();
    this.dismiss(error, 0);
    await Promise.all(telling);
    const flushed = links.every(({ connection }) => connection.bufferedBytes === 0);
    const reactor = await this.starting?.catch(() => undefined);
    await reactor?.closeAll(flushed ? LINGER_MS : CLOSE_MS);
    await reactor?.stop();
  }

  // --- the reactor's events

  onOpen(): void {
    // A connection counts once its dial has resolved.
  }

  onMessage(): void {
    // Replies are text.
  }

  onText(connection: ReactorConnection<Link>, text: string): void {
    const link = connection.attachment;
    if (link !== undefined) this.setup.onText(link, text);
    else this.early.keep(connection, text);
  }

  /** The server has said its last word. */
  onEnd(connection: ReactorConnection<Link>): void {
    this.running?.finish(connection);
    this.lose(connection, 'peer');
  }

  onClose(connection: ReactorConnection<Link>): void {
    this.early.take(connection);
    this.lose(connection, connection.closeReason ?? 'error');
    const link = connection.attachment;
    if (link?.announced === true) this.setup.report.closed(connection);
  }

  onError(error: GevError): void {
    this.setup.report.error(error);
  }

  // --- the endpoints' events

  connect(
    target: GevResolvedEndpoint,
    count: number,
    onDone: (outcome: DialOutcome<ReactorConnection<Link>>) => void,
  ): Promise<void> {
    return this.dialer.connect(target, count, (outcome) => {
      if (!this.closed) onDone(outcome);
    });
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

  /** A connection on which not even a probe is answered. */
  giveUp(link: Link): void {
    debug('%s leaves a probe unanswered', nameOf(link.connection));
    link.endpoint.silent();
    link.connection.failSilent();
    this.lose(link.connection, 'reset', new GevConnectionError('ETIMEDOUT', SILENT));
  }

  greet(link: Link): void {
    this.setup.greet(link);
    for (const text of this.early.take(link.connection)) this.setup.onText(link, text);
  }

  /** Nobody has answered on a new connection. */
  ungreeted(link: Link): void {
    debug('%s: nobody answers', nameOf(link.connection));
    link.connection.failSilent();
    this.lose(link.connection, 'reset', new GevConnectionError('ETIMEDOUT', SILENT));
  }

  /** Somebody has answered on a new connection. */
  greeted(link: Link): void {
    link.endpoint.greeted(link);
  }

  /**
   * The server asks for a connection to end. What is sent from now on goes elsewhere: to another endpoint, or to whoever
   * listens there now.
   */
  leave(link: Link): void {
    const { endpoint } = link;
    if (this.closed || !endpoint.leave(link)) return;
    debug('%s: the server asks it to go; %d calls in flight', nameOf(link.connection), link.calls.size);
    this.arrange();
    if (this.balancer.empty) this.setup.onStatus('disconnected');
    this.lastResorts.retire(link);
    for (const each of this.balancer.empty ? this.all : [endpoint]) this.replace(each);
  }

  /** A connection that is to end waits for nothing more. */
  onIdle(link: Link): void {
    this.lastResorts.retire(link);
  }

  // --- for the last resorts

  get served(): boolean {
    return !this.balancer.empty || this.closed;
  }

  get needed(): boolean {
    return this.waiting.size > 0;
  }

  candidates(): readonly (readonly Link[])[] {
    return this.all.map(({ lastResorts }) => lastResorts);
  }

  onNeeded(): void {
    if (this.lastResorts.open()) this.serve();
  }

  hangUp(link: Link): void {
    void this.hangUpAfterwards(link, link.cancellation?.settled());
  }

  /** A connection brought what makes no sense: what follows makes none either. */
  refuse(link: Link, cause: unknown): void {
    this.setup.report.invalidReply(link, cause);
    link.connection.failProtocol();
    this.lose(link.connection, 'protocol');
  }

  /** Whether to go on trying without being asked. */
  private get wanted(): boolean {
    return this.wasConnected || this.waiting.size > 0;
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

  private assignLater(outgoing: Outgoing): void {
    if (this.closed) {
      outgoing.fail(new GevClientClosedError());
      return;
    }
    this.waiting.enter(outgoing);
    debug('nothing is connected: %d requests and events wait', this.waiting.size);
    this.seek();
  }

  /** A request has need of a connection. */
  private seek(): void {
    if (!this.trying) for (const endpoint of this.all) endpoint.beginForRequest();
  }

  /** There is a connection: those who wait for one go on. */
  private serve(): void {
    this.tellConnected();
    for (const outgoing of this.waiting.dismiss(0)) {
      this.safely(() => outgoing.runInAsyncScope(() => this.assign(outgoing)));
    }
  }

  private lose(
    connection: ReactorConnection<Link>,
    reason: CloseReason,
    cause = connection.closeError,
  ): void {
    const link = connection.attachment;
    const was = this.closed ? undefined : link?.endpoint.drop(link);
    if (link === undefined || was === undefined) return;
    const { endpoint } = link;
    const error = new GevConnectionLostError(endpoint.name, reason, { cause });
    if (was === 'leaving') {
      this.setup.report.left(link, error);
      this.setup.onLost(link, error);
      if (this.balancer.empty) this.replace(endpoint); // there may be room for another now
      return;
    }
    this.lastFailure = error;
    if (was === 'greeting') {
      link.greeting?.stop();
      this.replace(endpoint);
      return;
    }
    this.arrange();
    if (this.balancer.empty) this.setup.onStatus('disconnected');
    debug('endpoint %s: %s', endpoint.name, error.message);
    this.setup.report.disconnected(link, error);
    endpoint.beginLater();
    this.setup.onLost(link, error);
    // Whatever waited for the end of this connection goes on.
    if (this.connecting.length > 0) endpoint.begin();
    else if (this.waiting.size > 0) endpoint.beginForRequest();
    this.settle();
  }

  /** A connection has ended, or is about to, though nothing is wrong with its endpoint: dials what is missing at once. */
  private replace(endpoint: Endpoint): void {
    const needed = this.waiting.size > 0 || this.connecting.length > 0;
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
    const unsent = this.lastFailure === undefined || this.lastFailure instanceof GevConnectionLostError;
    this.dismiss(unsent ? this.notConnected() : this.lastFailure, this.setup.options.offlineQueue);
    if (this.wanted || this.trying) return;
    this.setup.onStatus('disconnected');
    this.rest();
  }

  private tellConnected(): void {
    const { connecting } = this;
    this.connecting = [];
    for (const { resolve } of connecting) {
      this.setup.hold.down();
      resolve();
    }
  }

  private dismiss(error: unknown, kept: number): void {
    const { connecting } = this;
    this.connecting = [];
    for (const { reject } of connecting) {
      this.setup.hold.down();
      reject(error);
    }
    for (const outgoing of this.waiting.dismiss(kept)) this.safely(() => outgoing.fail(error));
  }

  /** Nobody was ever there, and nobody waits: as before the first request. */
  private rest(): void {
    for (const endpoint of this.all) endpoint.rest();
    const { starting } = this;
    this.starting = this.running = undefined;
    void starting
      ?.then((reactor) => reactor.stop())
      .catch((error: unknown) => this.setup.report.failure(error));
  }

  private notConnected(): GevNotConnectedError {
    return new GevNotConnectedError(undefined, { cause: this.lastFailure });
  }

  private arrange(): void {
    this.balancer.arrange(this.all.map(({ links }) => links));
  }

  private start(): Promise<ClientReactor> {
    return (this.starting ??= this.startReactor());
  }

  private async startReactor(): Promise<ClientReactor> {
    const reactor = this.setup.createReactor(this);
    reactor.unref(); // what is under way keeps the process, not that there are connections
    try {
      await reactor.start();
    } catch (error) {
      this.starting = undefined;
      throw error;
    }
    this.running = reactor;
    return reactor;
  }

  private safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.setup.report.failure(error);
    }
  }
}
