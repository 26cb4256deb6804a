import type { ReadPacket } from '@nestjs/microservices';
import { type GevContext, MessageContext } from '../../context/gev.context.js';
import type { GevDeserializer } from '../../core/options.js';
import { promiseOf } from '../../core/values.js';
import {
  type IncomingPacket,
  mayBeReserved,
  patternText,
  scannedData,
  scannedId,
  scannedPattern,
  toPacket,
} from '../../protocol/nest-json/packet-reader.js';
import { CANCEL_PATTERN, HELLO_PATTERN, NO_MESSAGE_HANDLER } from '../../protocol/nest-json/vocabulary.js';
import type { GevPacket } from '../../protocol/packet-format.js';
import type { GevPacketNotation } from '../../protocol/packet-notation.js';
import type { WaitGroup } from '../admission/wait-group.js';
import { INTERNAL_ERROR, type NestHandler } from '../handlers/nest-handler.js';
import type { RouteTable } from './route-table.js';
import { runEvent } from './rpc-event.js';
import type { RpcPeer } from './rpc-peer.js';
import type { RpcReports } from './rpc-reports.js';

/** What a pattern that was seen before leads to. */
interface Route {
  readonly pattern: string;
  readonly handler: NestHandler;
}

/** What the dispatchers of a server share. */
export interface PacketDispatcherSetup {
  readonly routes: RouteTable;
  /** How packets of Nest's are written; undefined where none come. */
  readonly notation: GevPacketNotation<unknown> | undefined;
  /** Undefined: packets are taken as they are. */
  readonly deserializer: GevDeserializer | undefined;
  /** Nest's own way with events, where the application has overridden it. */
  readonly handleEvent:
    ((pattern: string, packet: ReadPacket, context: GevContext) => Promise<unknown>) | undefined;
  /** Packets and events at work. */
  readonly work: WaitGroup;
  readonly reports: RpcReports;
}

/**
 * Takes packets that one loop delivers to the handlers of `@MessagePattern` and `@EventPattern`. The plain way – Nest's own
 * deserializer, no hooks – parses, looks up a route, and has the client's call begin, and nothing else.
 */
export class PacketDispatcher {
  /** By the number that the loop has given a pattern; null: to be looked up by the pattern each time. */
  private readonly routes: (Route | null)[] = [];

  constructor(private readonly setup: PacketDispatcherSetup) {}

  /** Handlers are wrapped in another way from now on: has every route looked up anew. */
  forgetRoutes(): void {
    this.routes.length = 0;
  }

  /** Takes a packet of that client. Its parts are known where `route` is not 0: then only its data is left to parse. */
  handle(peer: RpcPeer, text: string, route: number, dataStart: number, idLength: number): void {
    if (route === 0 || !this.handleScanned(peer, text, route, dataStart, idLength)) {
      this.handleFrame(peer, text);
    }
  }

  /** Takes a packet of Nest's of that client, of which nothing is known. */
  handleFrame(peer: RpcPeer, frame: string | Buffer): void {
    let packet: unknown;
    try {
      packet = this.setup.notation!.decode(frame);
    } catch (error) {
      // Such a peer does not speak our language: it is hung up on, when it has the replies to what it said before.
      this.setup.reports.undecodable(peer.connection, error);
      peer.connection.refuseInput(error);
      return;
    }
    if (this.setup.deserializer === undefined) this.dispatch(peer, packet);
    else this.deserialize(peer, packet, this.setup.deserializer);
  }

  /**
   * What is about the connection does not wait for a place among the calls in flight: a cancellation makes one, and who
   * asks whether somebody is there does not ask for one. False: the packet is something else, and waits for its turn.
   */
  handleAtOnce(peer: RpcPeer, frame: string | Buffer): boolean {
    const { deserializer, routes, notation } = this.setup;
    if (deserializer !== undefined || !mayBeReserved(frame)) return false;
    try {
      const { pattern, data, id } = toPacket(notation!.decode(frame));
      if (typeof pattern !== 'string' || routes.find(pattern) !== undefined) return false;
      if (pattern === CANCEL_PATTERN && id === undefined) return peer.cancel(data);
      if (pattern !== HELLO_PATTERN || id === undefined) return false;
      return peer.hello(id);
    } catch {
      return false; // for handle() to refuse
    }
  }

  /**
   * Takes a packet that a format of the application has read. What is registered for its pattern says whether it is a request
   * or an event; its replies are told by the packet, since it may have no id.
   */
  handleForeign(peer: RpcPeer, packet: GevPacket): void {
    const { routes, reports } = this.setup;
    const pattern = patternText(packet.pattern);
    try {
      if (routes.leadsToEvent(pattern)) {
        this.event(peer, pattern, packet);
        return;
      }
      const handler = this.requestHandler(packet.pattern, pattern);
      if (handler !== undefined) {
        const context = new MessageContext([peer.connection, pattern, packet.metadata]);
        peer.call(handler, packet, packet.data, context);
        return;
      }
      if (packet.id === undefined) reports.unhandledEvent(pattern);
      peer.reply(packet, 'unhandled', NO_MESSAGE_HANDLER);
    } catch (error) {
      reports.failure(peer.connection, pattern, error);
      peer.reply(packet, 'error', INTERNAL_ERROR);
    }
  }

  /** False: its parts are others, or nobody handles it; it is to be taken as a whole. */
  private handleScanned(
    peer: RpcPeer,
    text: string,
    number: number,
    dataStart: number,
    idLength: number,
  ): boolean {
    if (this.setup.deserializer !== undefined || this.setup.routes.dynamic) return false;
    let route = this.routes[number];
    if (route === undefined) route = this.learn(text, number, dataStart);
    if (route === null) return false;
    let data: unknown;
    try {
      data = scannedData(text, dataStart, idLength);
    } catch {
      return false;
    }
    const context = new MessageContext([peer.connection, route.pattern, undefined]);
    peer.call(route.handler, scannedId(text, idLength), data, context, true);
    return true;
  }

  private learn(text: string, number: number, dataStart: number): Route | null {
    let route: Route | null = null;
    try {
      const written = scannedPattern(text, dataStart);
      const pattern = patternText(written);
      const handler = this.requestHandler(written, pattern);
      if (handler !== undefined) route = { pattern, handler };
    } catch {
      // No JSON: what is wrong shows when the packet is taken as a whole.
    }
    this.routes[number] = route;
    return route;
  }

  private deserialize(peer: RpcPeer, raw: unknown, deserializer: GevDeserializer): void {
    const dispatch = (packet: unknown): void => this.dispatch(peer, packet);
    const failed = (error: unknown): void => this.undeserializable(peer, raw, error);
    try {
      const packet: unknown = deserializer.deserialize(raw);
      const promise = promiseOf(packet);
      if (promise === undefined) dispatch(packet);
      else peer.prepare(promise.then(dispatch).catch(failed));
    } catch (error) {
      failed(error);
    }
  }

  private undeserializable(peer: RpcPeer, raw: unknown, error: unknown): void {
    this.setup.reports.undeserializable(peer.connection, error);
    const id = (raw as IncomingPacket | null)?.id;
    const message = 'The packet could not be deserialized';
    if (id !== undefined) peer.reply(id, 'error', { status: 'error', message });
  }

  private dispatch(peer: RpcPeer, value: unknown): void {
    const packet = toPacket(value);
    const pattern = patternText(packet.pattern);
    const { id } = packet;
    try {
      if (id === undefined) this.event(peer, pattern, packet);
      else this.request(peer, pattern, packet, id);
    } catch (error) {
      // Handlers are contained by their calls. This came of an overridden way to look one up.
      this.setup.reports.failure(peer.connection, pattern, error);
      if (id !== undefined) peer.reply(id, 'error', INTERNAL_ERROR);
    }
  }

  private request(peer: RpcPeer, pattern: string, packet: IncomingPacket, id: unknown): void {
    const handler = this.requestHandler(packet.pattern, pattern);
    if (handler !== undefined) {
      const context = new MessageContext([peer.connection, pattern, packet.metadata]);
      peer.call(handler, id, packet.data, context);
    } else if (pattern === HELLO_PATTERN) {
      peer.hello(id);
    } else {
      peer.reply(id, 'unhandled', NO_MESSAGE_HANDLER);
    }
  }

  /** @param written the pattern as it came: of what is not a string, only the text counts */
  private requestHandler(written: unknown, pattern: string): NestHandler | undefined {
    const { routes } = this.setup;
    const handler =
      routes.find(pattern) ??
      (typeof written === 'string' ? routes.match(pattern, false)?.handler : undefined);
    return handler as NestHandler | undefined;
  }

  private event(peer: RpcPeer, pattern: string, packet: IncomingPacket): void {
    const { routes, reports, work, handleEvent } = this.setup;
    let handler = routes.find(pattern);
    let registered = pattern;
    if (handler === undefined && typeof packet.pattern === 'string') {
      const match = routes.match(pattern, true);
      handler = match?.handler;
      registered = match?.pattern ?? pattern;
    }
    if (handler === undefined && (pattern === CANCEL_PATTERN || handleEvent === undefined)) {
      if (pattern === CANCEL_PATTERN) peer.cancel(packet.data);
      else reports.unhandledEvent(pattern);
      return;
    }
    if (peer.expired) return;
    const { connection } = peer;
    const context = new MessageContext([connection, pattern, packet.metadata]);
    const run: NestHandler =
      handleEvent === undefined
        ? (handler as NestHandler)
        : () => handleEvent(registered, packet as ReadPacket, context);
    runEvent(run, packet.data, context, work, (error) => reports.failure(connection, pattern, error, true));
  }
}
