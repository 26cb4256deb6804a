import type { GevAnswer, GevPacket } from '../protocol/packet-format.js';
import { onAbort } from './abort-listeners.js';
import { Registrar } from './callback.js';
import {
  GevAbortedError,
  GevConnectionLostError,
  GevOverloadedError,
  GevRemoteError,
  GevTimeoutError,
} from './client-errors.js';
import type { CloseReason } from './close-reason.js';
import type { ConnectionFraming } from './connection-framing.js';
import { type GevConnection, peerOf } from './connection.js';
import { DEFAULT_REQUEST_TIMEOUT } from './constants.js';
import type { DeadlineQueue, Deadlines, Timed } from './deadlines.js';
import { describe, GevConnectionClosedError, GevHandlerError, GevOptionsError } from './errors.js';
import type { ResolvedRequestOptions } from './request-options.js';
import { isThenable } from './values.js';

/** Requests of one connection at a time, and the ids of a format that says nothing of them. */
const MAX_REQUESTS = 65_535;
const DEFAULT_IDS = [1, MAX_REQUESTS] as const;

/** Deadlines of the requests of all connections of a reactor. */
export type RequestDeadlines = Deadlines<PendingRequest>;

/** What requests need of their connection. */
export interface RequestConnection extends GevConnection<object> {
  readonly framing: ConnectionFraming;
  /** Sends what may be no data. Throws as `send()` does. */
  transmitChecked(frame: unknown): boolean;
  /** What has come last is no valid message. */
  cutInput(cause: unknown): void;
  /** What there is in flight has changed: whether frames are to be shown to {@link Requests.take}, and whether any are awaited. */
  watchFrames(): void;
  /** An answer came that nobody waits for. */
  dropAnswer(): void;
}

/** One request, from when it is made until it has its answer, or its place is forgotten. */
export class PendingRequest implements Timed<PendingRequest> {
  deadline = 0;
  queue: DeadlineQueue<PendingRequest> | undefined = undefined;
  earlier: PendingRequest | undefined = undefined;
  later: PendingRequest | undefined = undefined;
  /** What its answer tells it by; 0: not by an id. */
  id = 0;
  /** Nobody waits for it any more; what comes in its place is dropped. */
  abandoned = false;
  /** Its timeout has passed once; when it has passed again, its place is forgotten. */
  overdue = false;
  stopListening: (() => void) | undefined = undefined;
  /** The caller's context, for what is called later. */
  private registrar: Registrar | undefined;

  constructor(
    readonly owner: Requests,
    readonly data: unknown,
    readonly options: ResolvedRequestOptions,
    private readonly resolve: (answer: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    if (options.match !== undefined) this.keepContext();
  }

  keepContext(): void {
    this.registrar ??= new Registrar();
  }

  /** Only after {@link keepContext}. */
  inContext<Result>(fn: () => Result): Result {
    return this.registrar!.call(fn);
  }

  /** Whether a frame is its answer. Throws what the application throws. */
  matches(frame: unknown): boolean {
    const { match } = this.options;
    const result = this.inContext(() => match!(frame));
    if (!isThenable(result)) return Boolean(result);
    result.then(undefined, () => undefined);
    throw new TypeError('it returned a promise, and a frame cannot wait to be matched');
  }

  answer(data: unknown): void {
    this.stopListening?.();
    this.resolve(data);
  }

  fail(error: unknown): void {
    this.stopListening?.();
    this.reject(error);
  }
}

/**
 * The requests that one connection has made to its peer. A request that is sent takes a place: under its id, or at the end of
 * those that are answered in order, or among those that look for their answer by themselves. One that is given up leaves its
 * place for a late answer, until twice its timeout has passed since it was sent, so that nobody else takes that for his.
 */
export class Requests {
  private readonly byId = new Map<number, PendingRequest>();
  private readonly inOrder = new Set<PendingRequest>();
  private readonly matching = new Set<PendingRequest>();
  /** Not sent yet: for one that is exclusive, or is one. */
  private readonly waiting = new Set<PendingRequest>();
  /** In flight, and to be alone. */
  private exclusive: PendingRequest | undefined;
  /** Places of those that were given up. */
  private abandoned = 0;
  private lastId: number;

  /** @param reads frames are read as packets here, not by a layer above */
  constructor(
    private readonly connection: RequestConnection,
    private readonly deadlines: RequestDeadlines,
    private readonly reads: boolean,
  ) {
    this.lastId = this.ids[0] - 1;
  }

  /** Somebody waits for an answer to what was sent. */
  get awaiting(): boolean {
    return this.inFlight > this.abandoned;
  }

  /** Whether frames are to be shown to {@link take}: from the first request by id on, where nobody else drops late answers. */
  get watching(): boolean {
    return this.inFlight > 0 || (this.reads && this.lastId >= this.ids[0]);
  }

  /**
   * Sends a request, or lets it wait for its turn. One of the functions is called, at once where it cannot be sent.
   *
   * @throws GevOptionsError; GevAbortedError; GevOverloadedError
   */
  ask(
    data: unknown,
    options: ResolvedRequestOptions,
    resolve: (answer: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    const { signal } = options;
    this.assertTold(options);
    if (signal?.aborted === true) throw new GevAbortedError({ cause: signal.reason });
    if (this.inFlight + this.waiting.size >= MAX_REQUESTS) throw this.overloaded();
    const request = new PendingRequest(this, data, options, resolve, reject);
    if (this.waiting.size === 0 && this.maySend(request)) {
      this.trySend(request);
      return;
    }
    request.keepContext();
    this.waiting.add(request);
    this.listen(request);
  }

  /** A frame has come. True: it is an answer, and nobody else's. */
  take(frame: unknown): boolean {
    if (this.matching.size > 0 && this.takeMatching(frame)) return true;
    const { format } = this.connection.framing;
    if (format === undefined) return this.takeNext(frame);
    if (!this.reads) return false;
    let packet: GevPacket | GevAnswer | undefined;
    try {
      packet = format.read(frame, this.connection);
    } catch (error) {
      this.connection.cutInput(error);
      return true;
    }
    if (packet === undefined) return this.takeNext(frame);
    return isAnswer(packet) && this.takeAnswer(packet);
  }

  /** A frame has come that answers what was asked first, if anything was. */
  takeNext(frame: unknown): boolean {
    const first = this.inOrder.values().next();
    if (first.done === true) return false;
    this.settle(first.value, frame);
    return true;
  }

  /** An answer has come that says which request it is for. */
  takeAnswer({ answers, data, error }: GevAnswer): true {
    const request = this.byId.get(answers);
    if (request === undefined) this.connection.dropAnswer();
    else if (error === undefined) this.settle(request, data);
    else this.refuse(request, error);
    return true;
  }

  /** Nothing more comes from the peer: rejects all. */
  failAll(reason: CloseReason, cause: unknown): void {
    const sent = [...this.byId.values(), ...this.inOrder, ...this.matching];
    const unsent = [...this.waiting];
    for (const requests of [this.byId, this.inOrder, this.matching, this.waiting]) requests.clear();
    this.exclusive = undefined;
    this.abandoned = 0;
    this.connection.watchFrames();
    for (const request of sent) {
      this.deadlines.remove(request);
      if (request.abandoned) continue;
      request.fail(new GevConnectionLostError(peerOf(this.connection), reason, { cause }));
    }
    for (const request of unsent) request.fail(new GevConnectionClosedError(reason, { cause }));
  }

  /** Its time is over: to be answered, or to keep its place. */
  expire(request: PendingRequest): void {
    if (request.overdue) {
      this.leave(request);
      return;
    }
    request.overdue = true;
    this.deadlines.add(request, request.options.timeout);
    if (!request.abandoned) this.abandon(request, this.lateness(request));
  }

  private get inFlight(): number {
    return this.byId.size + this.inOrder.size + this.matching.size;
  }

  private get ids(): readonly [first: number, last: number] {
    return this.connection.framing.format?.requestIds ?? DEFAULT_IDS;
  }

  /** Nobody can tell which bytes, or which of Nest's packets, are an answer. */
  private assertTold({ match }: ResolvedRequestOptions): void {
    const { kind, format, nestPackets, codec } = this.connection.framing;
    if (match !== undefined || format?.request !== undefined || (kind !== 'raw' && !nestPackets)) return;
    throw new GevOptionsError(
      'match',
      !nestPackets
        ? 'request() needs "match" with raw(), whose chunks have no bounds that the peer made: give it, or use a codec that frames'
        : `request() needs "match" with ${codec}, whose clients answer nobody: give it, or call the handlers of a Nest server with GevClient`,
    );
  }

  private maySend({ options }: PendingRequest): boolean {
    return this.inFlight === 0 || (!options.exclusive && this.exclusive === undefined);
  }

  /** Gives the request up when its signal aborts, or has aborted. */
  private listen(request: PendingRequest): void {
    const { signal } = request.options;
    if (signal === undefined) return;
    if (signal.aborted) this.abort(request);
    else request.stopListening = onAbort(signal, () => this.abort(request));
  }

  /** Sends it, or fails it with what prevents that. Its signal is listened to when it has its place. */
  private trySend(request: PendingRequest): void {
    const { connection } = this;
    const { exclusive, timeout } = request.options;
    if (exclusive) this.exclusive = request;
    try {
      if (!this.send(request)) return;
    } catch (error) {
      if (this.exclusive === request) this.exclusive = undefined;
      request.fail(error);
      return;
    }
    this.deadlines.add(request, timeout);
    connection.watchFrames();
    this.listen(request);
  }

  /** False: the connection has been closed meanwhile, by code of the application that makes the frame. */
  private send(request: PendingRequest): boolean {
    const { connection } = this;
    const { format } = connection.framing;
    const { match } = request.options;
    if (match !== undefined || format?.request === undefined) {
      connection.transmitChecked(request.data);
      (match === undefined ? this.inOrder : this.matching).add(request);
      return true;
    }
    const id = this.nextId();
    request.id = id;
    this.byId.set(id, request);
    try {
      connection.transmitChecked(format.request(request.data, id, connection));
    } catch (error) {
      this.byId.delete(id);
      throw error;
    }
    return this.byId.has(id);
  }

  /** Those that wait, as far as they may be sent now. */
  private sendWaiting(): void {
    for (const request of this.waiting) {
      if (!this.maySend(request)) return;
      this.waiting.delete(request);
      request.stopListening?.();
      request.inContext(() => this.trySend(request));
    }
  }

  private nextId(): number {
    const [first, last] = this.ids;
    if (this.byId.size > last - first) throw this.overloaded();
    do this.lastId = this.lastId >= last ? first : this.lastId + 1;
    while (this.byId.has(this.lastId));
    return this.lastId;
  }

  private takeMatching(frame: unknown): boolean {
    for (const request of [...this.matching]) {
      try {
        // What another match does may have ended this one.
        if (!this.matching.has(request) || !request.matches(frame)) continue;
      } catch (cause) {
        const culprit = 'match() of request()';
        const message = `${culprit} threw: ${describe(cause)}`;
        if (!request.abandoned) request.fail(new GevHandlerError(message, { culprit, cause }));
        this.leave(request);
        continue;
      }
      if (this.matching.has(request)) this.settle(request, frame);
      return true;
    }
    return false;
  }

  private settle(request: PendingRequest, data: unknown): void {
    if (request.abandoned) this.connection.dropAnswer();
    else request.answer(this.connection.framing.borrowed ? Buffer.from(data as Buffer) : data);
    this.leave(request);
  }

  private refuse(request: PendingRequest, error: unknown): void {
    if (request.abandoned) this.connection.dropAnswer();
    else request.fail(error instanceof Error ? error : new GevRemoteError(describe(error), { data: error }));
    this.leave(request);
  }

  private abort(request: PendingRequest): void {
    const error = new GevAbortedError({ cause: request.options.signal!.reason });
    if (this.waiting.delete(request)) {
      request.fail(error);
      this.sendWaiting();
    } else if (!request.abandoned) {
      this.abandon(request, error);
    }
  }

  /** The request is given up, its place stays. */
  private abandon(request: PendingRequest, error: Error): void {
    request.abandoned = true;
    this.abandoned++;
    request.fail(error);
    if (request.queue === undefined) {
      // It had no end.
      request.overdue = true;
      this.deadlines.add(request, DEFAULT_REQUEST_TIMEOUT);
    }
    this.connection.watchFrames();
  }

  /** Its place is free. */
  private leave(request: PendingRequest): void {
    const { byId, inOrder, matching } = this;
    const held =
      byId.get(request.id) === request
        ? byId.delete(request.id)
        : inOrder.delete(request) || matching.delete(request);
    if (!held) return; // all have failed meanwhile
    this.deadlines.remove(request);
    if (this.exclusive === request) this.exclusive = undefined;
    if (request.abandoned) this.abandoned--;
    this.connection.watchFrames();
    if (this.waiting.size > 0) this.sendWaiting();
  }

  private overloaded(): GevOverloadedError {
    const peer = peerOf(this.connection);
    const message = `${peer} has ${this.inFlight + this.waiting.size} requests to answer, which is all there may be: ask less at a time`;
    return new GevOverloadedError(peer, undefined, message);
  }

  private lateness({ data, options: { timeout } }: PendingRequest): GevTimeoutError {
    const waited = `No answer from ${peerOf(this.connection)} within ${timeout} ms`;
    const hint =
      this.connection.state === 'connecting'
        ? 'nothing is read from a connection before its @OnConnect handlers have settled, so they cannot await an answer'
        : 'see what keeps the peer, or raise timeout';
    return new GevTimeoutError(data, timeout, 'reply to', `${waited}: ${hint}`);
  }
}

/** Whether what a frame was read as is an answer. */
export function isAnswer(packet: GevPacket | GevAnswer): packet is GevAnswer {
  return (packet as Partial<GevAnswer>).answers !== undefined;
}
