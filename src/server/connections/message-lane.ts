import { promiseOf } from '../../core/values.js';
import type { ConnectionScope } from './connection-scope.js';
import type { EventHandler } from './event-handlers.js';
import { isStream } from '../handler-result.js';
import type { GevContext } from '../../context/gev.context.js';
import { ReplyStream } from './reply-stream.js';

/** The way of one connection's messages through one `@OnMessage` handler. */
export class MessageLane {
  constructor(
    private readonly scope: ConnectionScope,
    private readonly handler: EventHandler,
  ) {}

  run(message: Buffer): void {
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
    const { scope } = this;
    scope.events.reportFailure(scope.connection, this.handler, error);
    this.end(context);
  }

  private end(context: GevContext): void {
    context.release();
    this.scope.release();
    this.scope.complete();
  }
}

/** An Observable as reply: the next message passes at once, or with its first value where an interceptor made it. */
class MessageStream extends ReplyStream {
  constructor(
    scope: ConnectionScope,
    handler: EventHandler,
    private readonly context: GevContext,
  ) {
    super(scope, handler);
  }

  protected override settled(): void {
    this.scope.release();
  }

  protected override failed(error: unknown): void {
    this.scope.events.reportFailure(this.scope.connection, this.handler, error);
  }

  protected override ended(): void {
    this.context.release();
    this.scope.complete();
  }
}
