import type { Subscriber } from 'rxjs';
import { onAbort } from '../../core/abort-listeners.js';
import { GevAbortedError, GevOverloadedError, GevTimeoutError } from '../../core/client-errors.js';
import { debug } from '../../core/debug.js';
import { describe } from '../../core/errors.js';
import type { ProcessHold } from '../../core/process-hold.js';
import { isThenable } from '../../core/values.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import {
  CANCEL_PATTERN,
  GO_AWAY_PATTERN,
  HELLO_PATTERN,
  NOT_BEGUN,
  OVERLOADED,
} from '../../protocol/nest-json/vocabulary.js';
import { Call } from './call.js';
import { Cancellation } from './cancellation.js';
import type { Clock } from '../../core/clock.js';
import type { Deadlines } from '../../core/deadlines.js';
import type { GevMetadata, GevRecordOptions } from '../gev.record.js';
import { Greeting, type GreetingChannel, type Introduction } from '../pool/greeting.js';
import type { Link } from '../pool/link.js';
import type { Outgoing } from './outgoing.js';
import { Probe, type ProbeChannel } from '../pool/probe.js';
import type { PacketText, PacketWriter } from './packet-writer.js';
import type { Reply, ReplyReader } from './reply-reader.js';
import { retryDelay } from './retry.js';

/** What {@link PendingCalls} needs. */
export interface PendingCallsSetup {
  /** In ms, until the first reply; 0: without end. */
  readonly requestTimeout: number;
  /** In ms, until somebody must have answered on a connection that is not used before; 0: without end. */
  readonly connectTimeout: number;
  readonly deadlines: Deadlines<Outgoing>;
  readonly clock: Clock;
  /** Keeps the process alive for what is under way. */
  readonly hold: ProcessHold;
  readonly writer: PacketWriter;
  readonly reader: ReplyReader;
  metadataOf(outgoing: Outgoing): GevMetadata | undefined;
  /** Nest's hooks for subclasses: what subscribers get to see. */
  serializeError(error: unknown): unknown;
  serializeResponse(response: unknown): unknown;
  /** The peer sent no JSON. */
  onMalformed(link: Link, cause: unknown): void;
  /** Not even a probe is answered. */
  onSilent(link: Link): void;
  /** Somebody answers on a new connection. */
  onGreeted(link: Link): void;
  /** Nobody does, in all the time there was. */
  onUngreeted(link: Link): void;
  /** The server asks for the connection to end. */
  onGoAway(link: Link): void;
  /** A connection that is to end waits for nothing more. */
  onIdle(link: Link): void;
  /** Looks for a connection anew. To be called in its context. */
  assign(outgoing: Outgoing): void;
  /** A deserializer, or a subscriber, threw. */
  onFailure(cause: unknown): void;
}

/** Requests from subscription to the last reply, and what ends them otherwise. */
export class PendingCalls {
  timeouts = 0;
  lateReplies = 0;
  retries = 0;
  private lastId = 0;
  /** Those that are to be sent again in a while. */
  private readonly resting = new Set<Call>();
  /** Those whose packet a serializer still makes. */
  private readonly unmade = new Set<Call>();

  constructor(private readonly setup: PendingCallsSetup) {}

  /** Somebody has subscribed: the time runs. */
  open(
    subscriber: Subscriber<unknown>,
    pattern: unknown,
    data: unknown,
    options: GevRecordOptions | undefined,
  ): Call {
    const call = new Call(this, subscriber, pattern, data, options);
    this.setup.hold.up();
    this.setup.deadlines.add(call, options?.timeout ?? this.setup.requestTimeout);
    if (options?.signal !== undefined) this.watch(call, options.signal);
    return call;
  }

  send(call: Call, link: Link): void {
    const id = ++this.lastId;
    call.id = id;
    call.link = link;
    const { writer } = this.setup;
    try {
      const text = writer.write(call.pattern, call.data, String(id), this.setup.metadataOf(call));
      if (isThenable(text)) this.sendLater(call, link, text);
      else this.transmit(call, link, text);
    } catch (error) {
      this.fail(call, error);
    }
  }

  /** While its packet was made, the request may have been given up, and the connection closed or asked to end. */
  private transmit(call: Call, link: Link, text: PacketText): void {
    if (call.settled) return;
    if (link.usable) {
      link.calls.set(call.id, call);
      link.used = true;
      link.connection.sendFrame(text);
    } else {
      call.link = undefined;
      call.runInAsyncScope(() => this.setup.assign(call));
    }
  }

  /** The first word on a connection, unless its server does not bear it. */
  greet(link: Link): void {
    if (link.bare) {
      link.cancels = false;
      return;
    }
    const channel: GreetingChannel = {
      ask: () => this.ask(link),
      onAnswer: (introduction) => this.meet(link, introduction),
      onSilent: () => this.setup.onUngreeted(link),
    };
    link.greeting = new Greeting(channel, link.awaited ? this.setup.connectTimeout : 0, this.setup.clock);
  }

  /** @param refused the server itself says that it has not begun it */
  fail(call: Call, error: unknown, refused = false): void {
    if (call.settled || this.retry(call, error, refused)) return;
    if (debug.enabled) debug('request %d failed: %s', call.id, describe(error));
    this.settle(call);
    this.tellError(call, error);
  }

  /** Sends it again in a while, if that was asked for and does no harm. Its time goes on. */
  private retry(call: Call, error: unknown, refused: boolean): boolean {
    const retry = call.options?.retry;
    if (retry === undefined || call.answered) return false;
    const { clock } = this.setup;
    const delay = retryDelay(retry, call.tries, error, refused, clock.random());
    if (delay === undefined || (call.queue !== undefined && clock.now() + delay >= call.deadline))
      return false;
    call.tries++;
    if (debug.enabled) {
      debug('request %d is sent again in %d ms, after: %s', call.id, Math.round(delay), describe(error));
    }
    this.retries++;
    if (call.link !== undefined) this.forget(call, call.link);
    call.link = undefined;
    const cancelTimer = clock.after(delay, () => {
      call.cancelRetry?.();
      this.safely(() => call.runInAsyncScope(() => this.setup.assign(call)));
    });
    this.resting.add(call);
    call.cancelRetry = () => {
      call.cancelRetry = undefined;
      this.resting.delete(call);
      cancelTimer();
    };
    return true;
  }

  /** The client closes: fails what is to be sent, for the first time or again. */
  failUnsent(error: unknown): void {
    for (const call of [...this.resting, ...this.unmade]) this.safely(() => this.fail(call, error));
  }

  /** Nobody waits any more: frees the id and tells the server. */
  abandon(call: Call): void {
    if (call.settled) return;
    const { link, id } = call;
    if (link?.open === true && link.calls.has(id)) this.cancellationOf(link).cancel(id);
    this.settle(call);
  }

  expire(call: Call): void {
    this.timeouts++;
    debug('request %d has timed out', call.id);
    const { link, id } = call;
    if (link?.usable === true && !link.bare && link.calls.has(id)) this.probeOf(link).timedOut();
    this.abandon(call);
    const ms = call.options?.timeout ?? this.setup.requestTimeout;
    this.tellError(call, new GevTimeoutError(call.pattern, ms));
  }

  /** Fails all that is in flight on a connection. */
  failAll(link: Link, error: unknown): void {
    link.probe?.stop();
    link.greeting?.stop();
    for (const call of [...link.calls.values()]) {
      this.safely(() => this.fail(call, error));
    }
  }

  /**
   * The client closes: tells the server that nobody waits for what is in flight on a connection, and fails it. Resolves when
   * all was said, or the server does not want to hear it; undefined where nothing is left to be said.
   */
  abandonAll(link: Link, error: unknown): Promise<void> | undefined {
    // The last first: those that wait at the server are not to begin in the place of others.
    const ids = [...link.calls.keys()].reverse();
    if (ids.length > 0 && link.open) {
      const cancellation = this.cancellationOf(link);
      for (const id of ids) cancellation.cancel(id);
    }
    this.failAll(link, error);
    return link.cancellation?.settled();
  }

  /** A frame has come. */
  receive(link: Link, text: string): void {
    const { reader } = this.setup;
    try {
      if (link.backlog === undefined && reader.readPlain(text)) {
        const { id, last } = reader.plain;
        this.deliver(link, id, undefined, reader.plain.take(), last);
      } else {
        this.receiveAny(link, text);
      }
    } catch (error) {
      this.setup.onFailure(error);
    }
  }

  private receiveAny(link: Link, text: string): void {
    const { reader } = this.setup;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.setup.onMalformed(link, error);
      return;
    }
    const reply = isGoAway(value) ? (value as Reply) : reader.read(value); // a deserializer may not know it
    if (link.backlog === undefined && !reader.isPromised(reply)) this.deliverReply(link, reply);
    else this.deliverInTurn(link, reply);
  }

  private deliverReply(link: Link, reply: Reply): void {
    const { id, err, response, isDisposed, status } = reply;
    if (isGoAway(reply)) this.setup.onGoAway(link);
    else this.deliver(link, idOf(id), err, response, Boolean(isDisposed || err), status === NOT_BEGUN);
  }

  private deliver(
    link: Link,
    id: number,
    err: unknown,
    response: unknown,
    last: boolean,
    refused = false,
  ): void {
    const call = link.calls.get(id);
    if (call === undefined) {
      if (link.probe?.receive(id) === true) return;
      if (link.greeting?.receive(id, err ? undefined : response) === true) return;
      this.lateReplies++;
      if (last) link.cancellation?.done(id); // before it could be told
      return;
    }
    link.endpoint.replied();
    if (err) {
      this.fail(call, refused && isOverload(err) ? new GevOverloadedError(link.endpoint.name) : err, refused);
      return;
    }
    if (last) this.settle(call);
    else {
      call.answered = true;
      this.setup.deadlines.remove(call);
    }
    call.runInAsyncScope(this.hand, undefined, call, response, last);
  }

  /** To be called in the context of the call. */
  private readonly hand = (call: Call, response: unknown, last: boolean): void => {
    if (!last || response !== undefined) {
      let value: unknown;
      try {
        value = this.setup.serializeResponse(response);
      } catch (error) {
        this.abandon(call);
        call.subscriber.error(error);
        return;
      }
      call.subscriber.next(value);
    }
    if (last) call.subscriber.complete();
  };

  private tellError(call: Call, error: unknown): void {
    call.runInAsyncScope(() => call.subscriber.error(this.shown(error)));
  }

  /** A deserializer takes its time: what one connection brings stays in order all the same. */
  private deliverInTurn(link: Link, reply: Reply | PromiseLike<Reply>): void {
    const before = link.backlog ?? Promise.resolve();
    const turn = Promise.all([reply, before])
      .then(([settled]) => this.deliverReply(link, settled))
      .catch((error: unknown) => this.setup.onFailure(error))
      .then(() => {
        if (link.backlog === turn) link.backlog = undefined;
      });
    link.backlog = turn;
  }

  private sendLater(call: Call, link: Link, text: PromiseLike<PacketText>): void {
    this.unmade.add(call);
    text
      .then((ready) => {
        this.unmade.delete(call);
        this.transmit(call, link, ready);
      })
      .then(undefined, (error: unknown) => {
        this.unmade.delete(call);
        this.fail(call, error);
      });
  }

  private forget(call: Call, link: Link): void {
    link.calls.delete(call.id);
    if (link.leaving && link.idle) this.setup.onIdle(link);
  }

  private settle(call: Call): void {
    call.settled = true;
    this.setup.hold.down();
    this.setup.deadlines.remove(call);
    this.unmade.delete(call);
    if (call.link !== undefined) this.forget(call, call.link);
    call.room?.leave(call);
    call.cancelRetry?.();
    call.release?.();
  }

  private watch(call: Call, signal: AbortSignal): void {
    const abort = (): void => {
      if (call.settled) return;
      this.abandon(call);
      this.tellError(call, new GevAbortedError({ cause: signal.reason as unknown }));
    };
    if (signal.aborted) {
      abort();
      return;
    }
    call.release = onAbort(signal, () => this.safely(abort));
  }

  /** What a subscriber is to see of an error; the error itself, where the hook for that fails. */
  private shown(error: unknown): unknown {
    try {
      return this.setup.serializeError(error);
    } catch (cause) {
      this.setup.onFailure(cause);
      return error;
    }
  }

  private safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.setup.onFailure(error);
    }
  }

  private probeOf(link: Link): Probe {
    const channel: ProbeChannel = {
      received: () => link.connection.bytesArrived,
      ask: () => this.ask(link),
      onSilent: () => this.setup.onSilent(link),
    };
    return (link.probe ??= new Probe(channel, this.setup.clock));
  }

  private cancellationOf(link: Link): Cancellation {
    const tell = (id: number): void => this.tell(link, CANCEL_PATTERN, String(id), undefined);
    return (link.cancellation ??= new Cancellation(link.cancels, tell));
  }

  private meet(link: Link, { cancels, leaving }: Introduction): void {
    link.greeting = undefined;
    link.cancels = cancels;
    link.cancellation?.answered(cancels);
    if (leaving) this.setup.onGoAway(link);
    else this.setup.onGreeted(link);
  }

  private ask(link: Link): number {
    const id = ++this.lastId;
    this.tell(link, HELLO_PATTERN, { cancel: 1 }, String(id));
    return id;
  }

  /** Sends what nobody waits for; a connection that breaks meanwhile needs it no more. */
  private tell(link: Link, pattern: string, data: unknown, id: string | undefined): void {
    const send = (text: PacketText): void => {
      if (link.open) link.connection.sendFrame(text);
    };
    // It is about the connection: the request that is given up has nothing to do with it.
    inFreshScope(() =>
      this.safely(() => {
        const text = this.setup.writer.write(pattern, data, id, undefined);
        if (isThenable(text))
          text.then(send).then(undefined, (error: unknown) => this.setup.onFailure(error));
        else send(text);
      }),
    );
  }
}

/** The number that an id stands for; 0, which is nobody's, when it is not written as we write ids. */
function idOf(id: unknown): number {
  const number = typeof id === 'string' ? Number(id) : 0;
  return String(number) === id ? number : 0;
}

function isOverload(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === OVERLOADED.code;
}

function isGoAway(packet: unknown): boolean {
  if (typeof packet !== 'object' || packet === null) return false;
  const { pattern, id } = packet as { readonly pattern?: unknown; readonly id?: unknown };
  return pattern === GO_AWAY_PATTERN && id === undefined;
}
