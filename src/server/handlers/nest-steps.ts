import { type MessageHandler, type ReadPacket, Server, type WritePacket } from '@nestjs/microservices';
import { Observable } from 'rxjs';
import type { GevContext } from '../../context/gev.context.js';
import type { FailureReport } from '../../core/callback.js';
import { overrides } from '../../core/overrides.js';
import type { NestHandler } from './nest-handler.js';
import { bareMethodsOf } from './bare-methods.js';
import type { HandlerMarker } from './handler-marker.js';
import { type ProcessingHooks, withProcessingHooks } from './processing-hooks.js';

/** What is called of a server. */
type NestServer = Pick<Server, 'getHandlerByPattern' | 'handleEvent' | 'transformToObservable' | 'send'>;

/**
 * Nest's own steps from a message to its replies, of one server. They are taken as far as the application has overridden
 * them, or has installed hooks; the others are left out.
 */
export class NestSteps {
  /** There are hooks. In a hybrid application they may come long after listen. */
  hooked = false;

  /** @param report told what a hook throws that cannot change the outcome any more */
  constructor(
    private readonly server: NestServer,
    private readonly hooks: ProcessingHooks,
    private readonly report: FailureReport,
  ) {}

  /** The application looks handlers up in its own way. */
  get findsHandlers(): boolean {
    return this.overrides('getHandlerByPattern', 'getRouteFromPattern', 'normalizePattern');
  }

  /** Nest's way to look up the handler of a pattern, which parses and normalises it. */
  findHandler(pattern: string): MessageHandler | null {
    return this.server.getHandlerByPattern(pattern);
  }

  /** Nest's way with events; undefined where it is the usual one. */
  get handleEvent():
    ((pattern: string, packet: ReadPacket, context: GevContext) => Promise<unknown>) | undefined {
    if (!this.overrides('handleEvent')) return undefined;
    return (pattern, packet, context) => this.server.handleEvent(pattern, packet, context);
  }

  /** The handler of a pattern, within these steps. */
  aroundPattern(handler: MessageHandler): MessageHandler {
    const hooked = this.aroundConnection(handler as NestHandler);
    const overridden = this.overrides('send', 'transformToObservable');
    return (overridden ? throughReplies(hooked, this.server) : hooked) as MessageHandler;
  }

  /** The handler of a connection's event; the method itself, where nothing is bound to it. */
  ofConnection(handler: NestHandler, marker: HandlerMarker): NestHandler {
    return this.aroundConnection(bareMethodsOf(this.server)?.handlerOf(marker) ?? handler);
  }

  private aroundConnection(handler: NestHandler): NestHandler {
    return this.hooked ? withProcessingHooks(handler, this.hooks, this.report) : handler;
  }

  private overrides(...methods: readonly string[]): boolean {
    return overrides(this.server, Server.prototype, ...methods);
  }
}

/** The handler with its result taken through Nest's way to replies. */
function throughReplies(handler: NestHandler, server: NestServer): NestHandler {
  return async (data: unknown, context: GevContext) => {
    const source: Observable<unknown> = server.transformToObservable(await handler(data, context));
    return new Observable((subscriber) => {
      const subscription = server.send(source, (packet: WritePacket) => {
        if (packet.err !== undefined && packet.err !== null) subscriber.error(packet.err);
        else if ('response' in packet) subscriber.next(packet.response);
        if (packet.isDisposed === true) subscriber.complete();
      });
      subscriber.add(subscription);
    });
  };
}
