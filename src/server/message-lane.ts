import type { ConnectionScope } from './connection-scope.js';
import type { EventHandler } from './event-handlers.js';
import { isStream, isThenable } from './handler-result.js';
import { ReplyStream } from './reply-stream.js';

/**
 * The way of one connection's messages through one `@OnMessage` handler. It exists for the sake of its two callbacks:
 * made once a connection, they serve every message, so that a message with a plain reply allocates nothing here.
 */
export class MessageLane {
  constructor(
    private readonly scope: ConnectionScope,
    private readonly handler: EventHandler,
  ) {}

  run(message: Buffer): void {
    let result: unknown;
    try {
      result = this.handler.call(message, this.scope.context());
    } catch (error) {
      this.rejected(error);
      return;
    }
    if (isThenable(result)) result.then(this.fulfilled, this.rejected);
    else this.fulfilled(result);
  }

  private readonly fulfilled = (result: unknown): void => {
    const { scope } = this;
    if (isStream(result)) {
      new MessageStream(scope, this.handler).start(result);
      return;
    }
    scope.reply(result, this.handler);
    scope.release();
    scope.complete();
  };

  private readonly rejected = (error: unknown): void => {
    const { scope } = this;
    scope.events.reportFailure(scope.connection, this.handler, error);
    scope.release();
    scope.complete();
  };
}

/** An Observable as reply: the next message passes at once, or with its first value where an interceptor made it. */
class MessageStream extends ReplyStream {
  protected override settled(): void {
    this.scope.release();
  }

  protected override failed(error: unknown): void {
    this.scope.events.reportFailure(this.scope.connection, this.handler, error);
  }

  protected override ended(): void {
    this.scope.complete();
  }
}
