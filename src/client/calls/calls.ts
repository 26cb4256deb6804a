import type { Clock } from '../../core/clock.js';
import type { GevErrorCodec } from '../../core/error-codec.js';
import type { OutgoingSetup } from './outgoing.js';
import type { ReplyDeserializer } from './serialization.js';

/** What the calls of a client, and the sessions that carry them, need of it. */
export interface CallSetup extends OutgoingSetup {
  /** In ms, until somebody must have answered on a connection that is not used before; 0: without end. */
  readonly connectTimeout: number;
  readonly clock: Clock;
  /** The data of the first word on a connection. */
  readonly hello: object;
  readonly replies: ReplyDeserializer;
  /** Makes of what came as an error what subscribers get; undefined: that itself. */
  readonly errors: GevErrorCodec | undefined;
  /** Nest's hooks for subclasses: what subscribers get to see. */
  serializeError(error: unknown): unknown;
  serializeResponse(response: unknown): unknown;
  /** A deserializer, or a subscriber, threw. */
  onFailure(cause: unknown): void;
}

/** What all calls of a client have in common: their setup, the ids, and what is counted of them. */
export class Calls {
  timeouts = 0;
  lateReplies = 0;
  retries = 0;
  /** Those whose packet a serializer still makes, or that are to be sent again in a while. */
  readonly unsent = new Set<{ fail(error: unknown): void }>();
  private lastId = 0;

  constructor(readonly setup: CallSetup) {}

  nextId(): number {
    return ++this.lastId;
  }

  /** The client closes. */
  failUnsent(error: unknown): void {
    for (const call of [...this.unsent]) this.safely(() => call.fail(error));
  }

  safely(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.setup.onFailure(error);
    }
  }
}
