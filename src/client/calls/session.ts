import { GevOverloadedError } from '../../core/client-errors.js';
import type { SendCallback } from '../../core/connection.js';
import { isThenable } from '../../core/values.js';
import { inFreshScope } from '../../engine/fresh-scope.js';
import { CANCEL_PATTERN, HELLO_PATTERN, NOT_BEGUN, OVERLOADED } from '../../protocol/nest-json/vocabulary.js';
import { idNumber, isGoAway, type Reply } from '../../protocol/nest-json/reply-reader.js';
import type { Link, LinkFrame, LinkSession } from '../pool/link.js';
import type { Calls } from './calls.js';
import { Cancellation } from './cancellation.js';
import { Greeting, type Introduction } from './greeting.js';
import { Probe } from './probe.js';
import { isText, type PacketContent } from './serialization.js';

/** A call, as the session that carries it knows it. */
export interface SessionCall {
  readonly id: number;
  /** A reply without an error. */
  deliver(response: unknown, last: boolean): void;
  /** @param refused the server itself says that it has not begun it */
  fail(error: unknown, refused?: boolean): void;
}

/** What is said over one connection: calls and their replies by their ids, events, and words about the connection itself. */
export class Session implements LinkSession {
  /** Requests without a final reply, by id. */
  private readonly calls = new Map<number, SessionCall>();
  /** Events that the kernel has not taken yet. */
  private events = 0;
  /** There from the first request that is given up. */
  private cancellation: Cancellation | undefined = undefined;
  /** There from the first request that times out. */
  private probe: Probe | undefined = undefined;
  /** There until the server has introduced itself. */
  private greeting: Greeting | undefined = undefined;
  /** Whether the server wants to hear of requests that are given up; undefined: not known yet. */
  private cancels: boolean | undefined = undefined;
  /** The last reply that a deserializer still works on: those behind it wait. */
  private backlog: Promise<void> | undefined = undefined;

  constructor(
    private readonly link: Link,
    private readonly common: Calls,
  ) {}

  get inFlight(): number {
    return this.calls.size;
  }

  get idle(): boolean {
    return this.calls.size === 0 && this.events === 0;
  }

  get ungreeted(): boolean {
    return this.greeting !== undefined;
  }

  get probing(): boolean {
    return this.probe?.pending === true;
  }

  /** Whether requests and events may be sent. */
  get usable(): boolean {
    return this.link.usable;
  }

  // --- what is sent

  send(call: SessionCall, content: PacketContent): void {
    const { link } = this;
    this.calls.set(call.id, call);
    link.used = true;
    this.transmit(content);
  }

  /** @param onTaken told when the kernel has taken it, or will not; {@link eventTaken} is then to be called */
  sendEvent(content: PacketContent, onTaken: (error?: Error) => void): void {
    this.transmit(content, onTaken);
    this.events++;
    this.link.used = true;
  }

  eventTaken(): void {
    this.events--;
  }

  /** Nothing waits for a reply to a call any more. */
  forget(call: SessionCall): void {
    this.calls.delete(call.id);
    this.checkIdle();
  }

  /** A connection that is to end does so once it is idle. */
  checkIdle(): void {
    const { link } = this;
    if (link.leaving && this.idle) link.endpoint.onIdle(link);
  }

  /** Nobody waits for the replies to a request any more: tells the server, if that request is in flight. */
  cancel(id: number): void {
    if (this.link.open && this.calls.has(id)) this.cancelling().cancel(id);
  }

  /** A request has timed out. */
  timedOut(id: number): void {
    const { link } = this;
    if (link.usable && !link.bare && this.calls.has(id)) this.probed().timedOut();
  }

  greet(): void {
    const { link, common } = this;
    if (link.bare) {
      this.cancels = false;
      return;
    }
    const channel = {
      ask: () => this.ask(),
      onAnswer: (introduction: Introduction) => this.meet(introduction),
      onSilent: () => link.endpoint.onUngreeted(link),
    };
    const { connectTimeout, clock } = common.setup;
    this.greeting = new Greeting(channel, link.awaited ? connectTimeout : 0, clock);
  }

  private meet({ cancels, leaving }: Introduction): void {
    const { link } = this;
    this.greeting = undefined;
    this.cancels = cancels;
    this.cancellation?.answered(cancels);
    if (leaving) link.endpoint.onGoAway(link);
    else link.endpoint.onGreeted(link);
  }

  private cancelling(): Cancellation {
    return (this.cancellation ??= new Cancellation(this.cancels, (id) =>
      this.tell(CANCEL_PATTERN, String(id), undefined),
    ));
  }

  private probed(): Probe {
    const { link, common } = this;
    const channel = {
      received: () => link.connection.bytesArrived,
      ask: () => this.ask(),
      onSilent: () => link.endpoint.onSilent(link),
    };
    return (this.probe ??= new Probe(channel, common.setup.clock));
  }

  private ask(): number {
    const id = this.common.nextId();
    this.tell(HELLO_PATTERN, this.common.setup.hello, String(id));
    return id;
  }

  /** Sends what nobody waits for; a connection that breaks meanwhile needs it no more. */
  private tell(pattern: string, data: unknown, id: string | undefined): void {
    const { link, common } = this;
    const { packets } = common.setup;
    const send = (content: PacketContent): void => {
      if (link.open) this.transmit(content);
    };
    // It is about the connection: the request that is given up has nothing to do with it.
    inFreshScope(() =>
      common.safely(() => {
        const content = packets.write(pattern, data, id, undefined);
        if (isThenable(content))
          content.then(send).then(undefined, (error: unknown) => common.setup.onFailure(error));
        else send(content);
      }),
    );
  }

  private transmit(content: PacketContent, settle?: SendCallback): void {
    const { connection } = this.link;
    if (isText(content)) connection.sendFrame(content, settle);
    else connection.transmit(content, settle);
  }

  // --- what is received

  receive(frame: LinkFrame): void {
    const { setup } = this.common;
    const { replies } = setup;
    try {
      if (this.backlog === undefined && replies.readPlain(frame)) {
        const { id, last } = replies.plain;
        this.deliver(id, undefined, replies.plain.take(), last);
      } else {
        this.receiveAny(frame);
      }
    } catch (error) {
      setup.onFailure(error);
    }
  }

  private receiveAny(frame: LinkFrame): void {
    const { replies } = this.common.setup;
    let value: unknown;
    try {
      value = replies.decode(frame);
    } catch (error) {
      this.link.endpoint.onMalformed(this.link, error);
      return;
    }
    const reply = isGoAway(value) ? (value as Reply) : replies.read(value); // a deserializer may not know it
    if (this.backlog === undefined && !replies.isPromised(reply)) this.deliverReply(reply);
    else this.deliverInTurn(reply);
  }

  /** A deserializer takes its time: what the connection brings stays in order all the same. */
  private deliverInTurn(reply: Reply | PromiseLike<Reply>): void {
    const before = this.backlog ?? Promise.resolve();
    const turn = Promise.all([reply, before])
      .then(([settled]) => this.deliverReply(settled))
      .catch((error: unknown) => this.common.setup.onFailure(error))
      .then(() => {
        if (this.backlog === turn) this.backlog = undefined;
      });
    this.backlog = turn;
  }

  private deliverReply(reply: Reply): void {
    const { id, err, response, isDisposed, status } = reply;
    if (isGoAway(reply)) this.link.endpoint.onGoAway(this.link);
    else this.deliver(idNumber(id), err, response, Boolean(isDisposed || err), status === NOT_BEGUN);
  }

  private deliver(id: number, err: unknown, response: unknown, last: boolean, refused = false): void {
    const call = this.calls.get(id);
    if (call === undefined) {
      this.deliverLate(id, err ? undefined : response, last);
      return;
    }
    const { endpoint } = this.link;
    endpoint.replied();
    if (!err) call.deliver(response, last);
    else
      call.fail(
        refused && isOverload(err) ? new GevOverloadedError(endpoint.name) : this.errorOf(err),
        refused,
      );
  }

  private errorOf(err: unknown): unknown {
    const { errors } = this.common.setup;
    try {
      return errors === undefined ? err : errors.decode(err);
    } catch (error) {
      this.common.setup.onFailure(error);
      return err;
    }
  }

  /** A reply that belongs to no call in flight. */
  private deliverLate(id: number, response: unknown, last: boolean): void {
    if (this.probe?.receive(id) === true) return;
    if (this.greeting?.receive(id, response) === true) return;
    this.common.lateReplies++;
    if (last) this.cancellation?.done(id); // before it could be told
  }

  // --- how it ends

  stop(): void {
    this.probe?.stop();
    this.greeting?.stop();
  }

  failAll(error: unknown): void {
    this.stop();
    for (const call of [...this.calls.values()]) {
      this.common.safely(() => call.fail(error));
    }
  }

  abandonAll(error: unknown): Promise<void> | undefined {
    // The last first: those that wait at the server are not to begin in the place of others.
    for (const id of [...this.calls.keys()].reverse()) this.cancel(id);
    this.failAll(error);
    return this.told();
  }

  told(): Promise<void> | undefined {
    return this.cancellation?.settled();
  }
}

/** The session of a link: it is this client that has opened it. */
export function sessionOf(link: Link): Session {
  return link.session as Session;
}

function isOverload(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === OVERLOADED.code;
}
