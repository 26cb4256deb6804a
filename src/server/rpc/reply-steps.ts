import { Observable } from 'rxjs';
import type { MessageHandler, WritePacket } from '@nestjs/microservices';
import type { GevContext } from '../../context/gev.context.js';
import type { NestHandler } from '../connections/event-handlers.js';

/** Nest's own steps from a handler's result to its replies, as a subclass may have overridden them. */
export interface ReplySteps {
  toObservable(result: unknown): Observable<unknown>;
  send(source: Observable<unknown>, respond: (packet: WritePacket) => void): unknown;
}

/** The handler with its result taken through Nest's steps, where one of them is overridden. */
export function throughReplySteps(handler: MessageHandler, steps: ReplySteps): NestHandler {
  return async (data: unknown, context: GevContext) => {
    const source = steps.toObservable(await (handler as NestHandler)(data, context));
    return new Observable((subscriber) => {
      const subscription = steps.send(source, (packet) => {
        if (packet.err !== undefined && packet.err !== null) subscriber.error(packet.err);
        else if ('response' in packet) subscriber.next(packet.response);
        if (packet.isDisposed === true) subscriber.complete();
      });
      subscriber.add(subscription as { unsubscribe(): void } | undefined);
    });
  };
}
