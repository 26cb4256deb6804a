import type { GevContext } from '../../context/gev.context.js';
import { promiseOf } from '../../core/values.js';
import { isStream } from '../handlers/nest-handler.js';
import type { ConnectionHandler } from './connection-handlers.js';
import { HandlerStream, type StreamScope } from './handler-stream.js';

/** What a lane needs of its connection. */
export interface LaneScope extends StreamScope {
  /** For one call of a message handler. */
  context(): GevContext;
  /** The handler has settled and lets the next message pass. */
  release(): void;
  /** Nothing more will be written for the message. */
  complete(): void;
  reportFailure(handler: ConnectionHandler, error: unknown): void;
}

/** The way of one connection's messages through one `@OnMessage` handler. */
export class MessageLane {
  constructor(
    private readonly scope: LaneScope,
    private readonly handler: ConnectionHandler,
  ) {}

  run(message: unknown): void {
    const context = this.scope.context();
    let result: unknown;
    let promise: Promise<unknown> | undefined;
    try {
      result = this.handler.call(message, context);
      promise = promiseOf(result);
    } catch (error) {
      this.fail(context, error);
      return;
    }
    if (promise === undefined) this.settle(context, result);
    else {
      promise.then(
        (value) => this.settle(context, value),
        (error: unknown) => this.fail(context, error),
      );
    }
  }

  private settle(context: GevContext, result: unknown): void {
    const { scope, handler } = this;
    if (isStream(result)) {
      new MessageStream(scope, handler, context).start(result);
      return;
    }
    scope.reply(result, handler);
    this.end(context);
  }

  private fail(context: GevContext, error: unknown): void {
    this.scope.reportFailure(this.handler, error);
    this.end(context);
  }

  private end(context: GevContext): void {
    context.release();
    this.scope.release();
    this.scope.complete();
  }
}

/** An Observable as reply: the next message passes at once, or with its first value where an interceptor made it. */
class MessageStream extends HandlerStream {
  constructor(
    protected override readonly scope: LaneScope,
    handler: ConnectionHandler,
    private readonly context: GevContext,
  ) {
    super(scope, handler);
  }

  protected override settled(): void {
    this.scope.release();
  }

  protected override failed(error: unknown): void {
    this.scope.reportFailure(this.handler, error);
  }

  protected override ended(): void {
    this.context.release();
    this.scope.complete();
  }
}
