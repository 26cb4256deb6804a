import type { GevConnection } from './connection.js';
import type { GevError } from './errors.js';

/** Told of each call that brings events; what bounds the time that handlers take between two turns of Node's loop. */
export interface ReactorTurns {
  /** @param lastTook µs that the last call took, promise jobs included */
  beginEvents(lastTook: number): void;
  /** Returns whether messages are only queued from now on, until Node's loop has gone round. */
  endEvents(): boolean;
}

/** What a {@link Reactor} tells whoever uses it. Of one connection: open, messages, end, close, in this order. */
export interface ReactorHandler {
  readonly turns?: ReactorTurns;
  /** @internal It reads frames as packets itself, with the format of their codec, and tells connections of answers. */
  readonly readsPackets?: boolean;
  /** After accept, or when a dial has connected. With `gateConnections` nothing is read from it until {@link Reactor.admit}. */
  onOpen(connection: GevConnection): void;
  /** One chunk or frame; the Buffer is the receiver's to keep. */
  onMessage(connection: GevConnection, data: Buffer): void;
  /**
   * Instead of `onMessage` where frames are text (`nest-json`, and framings with an encoding): the content of one frame. If it is written as
   * `{"pattern":…,"data":…,"id":"…"}`, its pattern has a number of this loop's, the `route`, its data begins at `dataStart`
   * and its id has `idLength` characters; else these are 0.
   */
  onText(connection: GevConnection, text: string, route: number, dataStart: number, idLength: number): void;
  /**
   * Its last message was delivered: the peer sent FIN, or what is no message (then it closes within `closeTimeout` in
   * any case). Call {@link Reactor.finish} when no reply is pending. May come again. One that was dialled closes at once
   * where what it received is no message, without this call.
   */
  onEnd(connection: GevConnection): void;
  /** Exactly once, and last. */
  onClose(connection: GevConnection): void;
  /** Something worth a log line that belongs to no connection. */
  onError(error: GevError): void;
}
