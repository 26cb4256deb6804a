import type { ReadPacket } from '@nestjs/microservices';
import { type GevContext, MessageContext } from '../../context/gev.context.js';
import type { GevConnection } from '../../core/connection.js';
import type { GevDeserializer } from '../../core/options.js';
import { type ErrorLog, escapeControls, quote } from '../../core/error-log.js';
import { promiseOf } from '../../core/values.js';
import {
  CANCEL_PATTERN,
  HELLO_PATTERN,
  NO_MESSAGE_HANDLER,
  OVERLOADED,
} from '../../protocol/nest-json/vocabulary.js';
import type { Admission } from '../admission/admission.js';
import type { NestHandler } from '../connections/event-handlers.js';
import { isStream } from '../handler-result.js';
import { INTERNAL_ERROR, isLoggedByNest } from './nest-errors.js';
import type { OverflowPolicy } from '../admission/overflow-gate.js';
import type { RpcConnection } from './rpc-connection.js';
import type { Replies } from './replies.js';
import { patternText, type RouteTable } from './routes.js';
import type { Tally } from '../admission/tally.js';
import type { Turns } from '../admission/turns.js';

/** A packet as Nest's clients send it. Nothing of it is to be trusted. */
interface IncomingPacket {
  readonly pattern?: unknown;
  readonly data?: unknown;
  readonly id?: unknown;
  readonly metadata?: unknown;
}

/** What a pattern that was seen before leads to. */
export interface Route {
  readonly pattern: string;
  readonly handler: NestHandler;
}

/** What stands before a packet's pattern and data, and around its id. */
const PATTERN_START = '{"pattern":'.length;
const DATA_KEY = ',"data":'.length;
const ID_KEY = ',"id":"'.length;
const PACKET_END = '"}'.length;
/** What patterns begin with that are ours, as JSON. */
const RESERVED = '"gev:';

/** What {@link RpcDispatcher} needs to know. */
export interface RpcSetup {
  readonly routes: RouteTable;
  readonly replies: Replies;
  readonly overflow: OverflowPolicy;
  /** Requests of one connection in flight at a time. */
  readonly concurrency: number;
  /** Undefined: packets are taken as they are. */
  readonly deserializer: GevDeserializer | undefined;
  /** Nest's own way with events, where the application has overridden it. */
  readonly handleEvent:
    ((pattern: string, packet: ReadPacket, context: GevContext) => Promise<unknown>) | undefined;
  /** Packets and events at work. */
  readonly work: Tally;
  readonly turns: Turns;
  readonly admission: Admission;
  /** Whether a reply came too late for its connection, which is then counted. */
  readonly countLate: (error: unknown) => boolean;
  readonly log: ErrorLog;
  readonly describe: (connection: GevConnection) => string;
}

/**
 * Takes packets of Nest's wire format to the handlers of `@MessagePattern` and `@EventPattern`. The plain way – Nest's
 * own deserializer, no hooks – parses, looks up a route, calls the handler and writes the reply, and nothing else.
 */
export class RpcDispatcher {
  readonly replies: Replies;
  readonly overflow: OverflowPolicy;
  readonly concurrency: number;
  readonly work: Tally;
  readonly turns: Turns;
  readonly admission: Admission;
  /** Handlers at work whose calls were cancelled: nobody waits for them. */
  abandoned = 0;
  private readonly routes: (Route | null)[][] = [];

  constructor(private readonly setup: RpcSetup) {
    this.replies = setup.replies;
    this.overflow = setup.overflow;
    this.concurrency = setup.concurrency;
    this.work = setup.work;
    this.turns = setup.turns;
    this.admission = setup.admission;
  }

  /** The routes of a loop, which numbers patterns as they come. */
  routesOf(loop: number): (Route | null)[] {
    return (this.routes[loop] ??= []);
  }

  /** Handlers are wrapped in another way from now on: has every route looked up anew. */
  forgetRoutes(): void {
    this.setup.routes.forget();
    for (const routes of this.routes) routes.length = 0;
  }

  /**
   * Takes a request whose parts the loop has found already: only its data is left to parse. False where that does not
   * hold, and the packet is to be taken as a whole.
   */
  handleScanned(
    rpc: RpcConnection,
    text: string,
    number: number,
    dataStart: number,
    idLength: number,
  ): boolean {
    if (this.setup.deserializer !== undefined || this.setup.routes.dynamic) return false;
    let route = rpc.routes[number];
    if (route === undefined) route = this.learn(rpc, text, number, dataStart);
    if (route === null) return false;
    const idStart = text.length - PACKET_END - idLength;
    let data: unknown;
    try {
      data = JSON.parse(text.substring(dataStart, idStart - ID_KEY));
    } catch {
      return false; // there is more between the two keys than the data
    }
    const id = text.substring(idStart, idStart + idLength);
    rpc.call(route.handler, id, data, new MessageContext([rpc.connection, route.pattern, undefined]), true);
    return true;
  }

  handle(rpc: RpcConnection, text: string): void {
    let packet: unknown;
    try {
      packet = JSON.parse(text);
    } catch (error) {
      this.refuse(rpc.connection, `no JSON: ${escapeControls((error as Error).message)}`);
      return;
    }
    if (this.setup.deserializer === undefined) this.dispatch(rpc, packet);
    else this.deserialize(rpc, packet, this.setup.deserializer);
  }

  /**
   * What is about the connection does not wait for a place among the calls in flight: a cancellation makes one, and who
   * asks whether somebody is there does not ask for one. False: the packet is something else, and waits for its turn.
   */
  handleAtOnce(rpc: RpcConnection, text: string): boolean {
    const { deserializer, routes } = this.setup;
    if (deserializer !== undefined || !text.includes(RESERVED)) return false;
    try {
      const { pattern, data, id } = JSON.parse(text) as IncomingPacket;
      if (typeof pattern !== 'string' || routes.find(pattern) !== undefined) return false;
      if (pattern === CANCEL_PATTERN && id === undefined) return rpc.cancel(data);
      if (pattern !== HELLO_PATTERN || id === undefined) return false;
      return rpc.hello(id);
    } catch {
      return false; // for handle() to refuse
    }
  }

  reportFailure(connection: GevConnection, pattern: string, error: unknown): void {
    const { log, describe, routes } = this.setup;
    const registered = routes.registered(pattern);
    const kind = registered === undefined ? 'rpc handler' : `rpc handler ${registered}`;
    const name = quote(registered ?? pattern);
    log.report(kind, 'error', `The handler of ${name} failed on ${describe(connection)}`, error);
  }

  /** A reply could not be sent as it was; the caller has been told, if he can be. */
  reportUnsendable(connection: GevConnection, pattern: string | undefined, error: unknown): void {
    const { log, describe, routes, countLate } = this.setup;
    if (countLate(error)) return;
    const registered = pattern === undefined ? undefined : routes.registered(pattern);
    const what = registered === undefined ? 'A reply' : `A reply of the handler of ${quote(registered)}`;
    const kind = `unsendable reply ${registered ?? ''}`;
    log.report(kind, 'error', `${what} to ${describe(connection)} could not be sent`, error);
  }

  /** A client could not be asked to go; it is treated as one that does not understand it. */
  reportUntold(connection: GevConnection, error: unknown): void {
    const { log, describe } = this.setup;
    log.report('go-away', 'warn', `${describe(connection)} could not be asked to go`, error);
  }

  /** A request found no place among the calls in flight. */
  overloaded(rpc: RpcConnection, id: unknown): void {
    const { admission, log, describe } = this.setup;
    admission.shed++;
    log.report(
      'overloaded',
      'warn',
      `A request of ${describe(rpc.connection)} was refused: no call has ended for 2 s`,
    );
    this.replies.send(rpc, id, 'refused', OVERLOADED);
  }

  private learn(rpc: RpcConnection, text: string, number: number, dataStart: number): Route | null {
    let route: Route | null = null;
    try {
      const pattern = patternText(JSON.parse(text.substring(PATTERN_START, dataStart - DATA_KEY)));
      const handler = this.setup.routes.find(pattern);
      if (handler !== undefined) route = { pattern, handler: handler as NestHandler };
    } catch {
      // No JSON: what is wrong shows when the packet is taken as a whole.
    }
    rpc.routes[number] = route;
    return route;
  }

  private dispatch(rpc: RpcConnection, value: unknown): void {
    // JSON that is no packet is an event without a name, as Nest takes it.
    const packet: IncomingPacket = typeof value === 'object' && value !== null ? value : {};
    const pattern = patternText(packet.pattern);
    const { id } = packet;
    try {
      if (id === undefined) this.event(rpc, pattern, packet);
      else this.request(rpc, pattern, packet, id);
    } catch (error) {
      // Handlers are contained by their calls. This came of an overridden way to look one up.
      this.reportFailure(rpc.connection, pattern, error);
      if (id !== undefined) this.replies.send(rpc, id, 'error', INTERNAL_ERROR);
    }
  }

  private request(rpc: RpcConnection, pattern: string, packet: IncomingPacket, id: unknown): void {
    const handler = this.setup.routes.find(pattern);
    if (handler !== undefined) {
      const context = new MessageContext([rpc.connection, pattern, packet.metadata]);
      rpc.call(handler as NestHandler, id, packet.data, context);
    } else if (pattern === HELLO_PATTERN) {
      rpc.hello(id);
    } else {
      this.replies.send(rpc, id, 'unhandled', NO_MESSAGE_HANDLER);
    }
  }

  private event(rpc: RpcConnection, pattern: string, packet: IncomingPacket): void {
    const { routes, log, handleEvent } = this.setup;
    const handler = routes.find(pattern);
    if (handler === undefined && (pattern === CANCEL_PATTERN || handleEvent === undefined)) {
      if (pattern === CANCEL_PATTERN) rpc.cancel(packet.data);
      else log.report('unhandled event', 'error', `There is no handler for the event ${quote(pattern)}`);
      return;
    }
    if (rpc.expired) return;
    const context = new MessageContext([rpc.connection, pattern, packet.metadata]);
    this.work.up(1);
    const run: NestHandler =
      handleEvent === undefined
        ? (handler as NestHandler)
        : () => handleEvent(pattern, packet as ReadPacket, context);
    this.run(rpc, run, packet.data, context);
  }

  /** An event's handler. It owes nothing to the connection, and goes on when that closes: its sender may not wait. */
  private run(rpc: RpcConnection, handler: NestHandler, data: unknown, context: GevContext): void {
    let settled = false;
    const done = (): void => {
      settled = true;
      context.release();
      this.work.down(1);
    };
    const failed = (error: unknown): void => {
      if (!isLoggedByNest(error)) this.reportFailure(rpc.connection, context.getPattern(), error);
      if (!settled) done();
    };
    const take = (value: unknown): void => {
      if (isStream(value)) value.subscribe({ error: failed, complete: done });
      else done();
    };
    try {
      const result: unknown = handler(data, context);
      const promise = promiseOf(result);
      if (promise === undefined) take(result);
      else promise.then(take).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  private deserialize(rpc: RpcConnection, raw: unknown, deserializer: GevDeserializer): void {
    const dispatch = (packet: unknown): void => this.dispatch(rpc, packet);
    const failed = (error: unknown): void => this.undeserializable(rpc, raw, error);
    try {
      const packet: unknown = deserializer.deserialize(raw);
      const promise = promiseOf(packet);
      if (promise === undefined) dispatch(packet);
      else rpc.prepare(promise.then(dispatch).catch(failed));
    } catch (error) {
      failed(error);
    }
  }

  private undeserializable(rpc: RpcConnection, raw: unknown, error: unknown): void {
    const { log, describe } = this.setup;
    log.report('deserializer', 'error', `The deserializer failed on ${describe(rpc.connection)}`, error);
    const id = (raw as IncomingPacket | null)?.id;
    const message = 'The packet could not be deserialized';
    if (id !== undefined) this.replies.send(rpc, id, 'error', { status: 'error', message });
  }

  /** Such a peer does not speak our language: it is hung up on, when it has the replies to what it said before. */
  private refuse(connection: GevConnection, what: string): void {
    const { log, describe } = this.setup;
    log.report('protocol', 'warn', `${describe(connection)} is closed: it sent ${what}`);
    connection.refuseInput();
  }
}
