import { type GevContext } from '../context/gev.context.js';
import type { GevConnection } from '../core/connection.js';
import type { ConnectionScope } from './connection-scope.js';
import type { NestHandler } from './event-handlers.js';
import { OverflowGate } from './overflow-gate.js';
import { CallList, RpcCall } from './rpc-call.js';
import type { Route, RpcDispatcher } from './rpc-dispatcher.js';
import type { ReplyKind } from './rpc-replies.js';

/** What the RPC side keeps of one connection: its calls in flight, and the packets that wait for one of them to end. */
export class RpcConnection {
  /** The routes of this connection's loop, by number; null: to be looked up by the pattern each time. */
  readonly routes: (Route | null)[];
  private readonly calls = new CallList();
  /** Packets that came while the connection had as many calls in flight as it may. */
  private readonly waiting: string[] = [];
  private paused = false;
  private draining = false;

  constructor(
    private readonly dispatcher: RpcDispatcher,
    private readonly scope: ConnectionScope,
  ) {
    this.routes = dispatcher.routesOf(scope.connection.loop);
  }

  get connection(): GevConnection {
    return this.scope.connection;
  }

  /** A packet has come. Its parts are known where `route` is not 0. */
  receive(text: string, route: number, dataStart: number, idLength: number): void {
    if (this.waiting.length > 0 || !this.hasRoom()) this.enqueue(text);
    else if (route === 0 || !this.dispatcher.handleScanned(this, text, route, dataStart, idLength)) {
      this.dispatcher.handle(this, text);
    }
  }

  /** Runs a request's handler and replies what it returns. */
  call(handler: NestHandler, id: unknown, data: unknown, context: GevContext): void {
    const call = new RpcCall(this, id, context);
    this.calls.add(call);
    this.scope.begin();
    call.run(handler, data);
  }

  /** The client wants no more replies to that request. */
  cancel(id: unknown): void {
    this.calls.find(id)?.cancel();
  }

  /** The time for answers is over. */
  expire(error: unknown): void {
    this.calls.forEach((call) => call.expire(error));
  }

  /** The connection has closed. */
  close(): void {
    this.waiting.length = 0;
    this.calls.forEach((call) => call.cancel());
  }

  // --- for its calls ---

  reply(id: unknown, kind: ReplyKind, value: unknown): void {
    this.dispatcher.replies.send(this.connection, id, kind, value);
  }

  failed(context: GevContext, error: unknown): void {
    this.dispatcher.reportFailure(this.connection, context.getPattern(), error);
  }

  openGate(send: (value: unknown) => void): OverflowGate {
    return new OverflowGate(this.connection, this.dispatcher.overflow, send);
  }

  finish(call: RpcCall): void {
    this.calls.remove(call);
    this.scope.complete();
    if (this.waiting.length > 0) this.drain();
  }

  private hasRoom(): boolean {
    return this.calls.length < this.dispatcher.concurrency;
  }

  private enqueue(text: string): void {
    this.waiting.push(text);
    this.scope.begin();
    if (this.paused) return;
    this.paused = true;
    this.scope.pauseReading();
  }

  private drain(): void {
    // A handler that answers at once comes back here from within handle().
    if (this.draining) return;
    this.draining = true;
    let taken = 0;
    while (taken < this.waiting.length && this.hasRoom()) {
      this.dispatcher.handle(this, this.waiting[taken++]!);
      this.scope.complete();
    }
    this.waiting.splice(0, taken);
    this.draining = false;
    if (this.waiting.length > 0 || !this.paused) return;
    this.paused = false;
    this.scope.resumeReading();
  }
}
